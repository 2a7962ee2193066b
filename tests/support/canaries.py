"""Canary card numbers: how they are written, where they are planted, and finding them again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hub.contract.publish import samples
from hub.contract.registry import OPERATIONS, Door
from scripts.rig import ShopRig
from tests.support.hubbox import Box, open_box

PANS: Final = ("4111111111111111", "5555555555554444", "378282246310005", "6011000990139424")


def formats(pan: str) -> Iterator[str]:
    """As people, tills and card readers write a number."""
    yield pan
    yield " ".join(pan[at : at + 4] for at in range(0, len(pan), 4))
    yield "-".join(pan[at : at + 4] for at in range(0, len(pan), 4))
    yield f";{pan}=29121011000012345678?"
    yield json.dumps({"card": pan})
    yield "".join(chr(0x660 + int(digit)) for digit in pan)
    yield "".join(chr(0xFF10 + int(digit)) for digit in pan)


CANARIES: Final = tuple(one for pan in PANS for one in formats(pan))


# Looking -----------------------------------------------------------------------------------------

_GAP = rb"(?:[ \t._/-]|\xc2\xa0){0,3}"


def _patterns() -> tuple[re.Pattern[bytes], ...]:
    found = []
    for pan in PANS:
        for first in (None, 0x660, 0xFF10):
            digits = [
                digit.encode() if first is None else chr(first + int(digit)).encode()
                for digit in pan
            ]
            found.append(re.compile(_GAP.join(map(re.escape, digits))))
        for shift in range(3):  # base64 of the number wherever it begins
            whole = base64.b64encode(b"\0" * shift + pan.encode())
            found.append(re.compile(re.escape(whole[4 if shift else 0 : -4])))
        for escaped in (0x660, 0xFF10):
            text = json.dumps("".join(chr(escaped + int(digit)) for digit in pan))[1:-1]
            found.append(re.compile(re.escape(text.encode())))
    return tuple(found)


PATTERNS: Final = _patterns()


def unpacked(raw: bytes) -> Iterator[bytes]:
    """The bytes, and whatever in them is gzip or zstd."""
    import zstandard

    yield raw
    for found in re.finditer(rb"\x1f\x8b\x08", raw):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(raw[found.start() :], 1 << 22)
    for found in re.finditer(rb"\x28\xb5\x2f\xfd", raw):
        with contextlib.suppress(zstandard.ZstdError):
            reader = zstandard.ZstdDecompressor().stream_reader(raw[found.start() :])
            yield reader.read(1 << 22)


def seen_in(raw: bytes) -> str:
    """What surrounds the first card number, or nothing."""
    for plain in unpacked(raw):
        for pattern in PATTERNS:
            found = pattern.search(plain)
            if found:
                near = plain[max(0, found.start() - 80) : found.end() + 40]
                return near.decode(errors="replace")
    return ""


def found_in(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file below that holds one."""
    return {
        str(path.relative_to(folder)): near
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in but and (near := seen_in(path.read_bytes()))
    }


# The shop ----------------------------------------------------------------------------------------


@dataclass
class Tap:
    """A wire without TLS between hub and OMS, every byte of which is kept."""

    target_port: int
    port: int = 0
    up: bytearray = field(default_factory=bytearray)

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [back]
        try:
            far, onward = await asyncio.open_connection("127.0.0.1", self.target_port)
            ends.append(onward)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(near, onward, self.up))
                both.create_task(self._pump(far, back, bytearray()))
        except* OSError:
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._tasks.discard(task)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray
    ) -> None:
        while chunk := await source.read(65_536):
            kept += chunk
            sink.write(chunk)
            await sink.drain()
        raise ConnectionResetError


@contextlib.asynccontextmanager
async def tapped_box() -> AsyncIterator[tuple[Box, Tap]]:
    """A shop whose way to the cloud is read along."""
    async with open_box(started=False) as box:
        rig = box.rig
        rig.oms.arguments.append("--http")
        await rig.start_oms()
        async with Tap(rig.ports.oms) as tap:
            plain_cloud(rig, tap.port)
            await box.start()
            yield box, tap
            await box.stop_hub()


def plain_cloud(rig: ShopRig, port: int) -> None:
    """The hub's settings with a cloud on this machine, without TLS."""
    rig.write_config()
    text = rig.config_file.read_text()
    text = re.sub(r'url = "https://[^"]*"', f'url = "http://127.0.0.1:{port}"', text)
    rig.config_file.write_text(re.sub(r'ca_file = "[^"]*"\n', "", text))


# Planting ----------------------------------------------------------------------------------------


def planted(example: Any, canary: str) -> Iterator[tuple[str, Any]]:
    """The example with the canary in each of its texts, one after the other, and as a name."""
    for path in texts_of(example):
        made = json.loads(json.dumps(example))
        parent = made
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = canary
        yield "/".join(map(str, path)), made
    if isinstance(example, dict):
        yield "(a name)", {**example, canary: 1}


def texts_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is a text."""
    match value:
        case str():
            yield path
        case dict():
            for key, inner in value.items():
                yield from texts_of(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from texts_of(inner, (*path, index))
        case _:
            return


def full_example(schema: dict[str, Any], root: dict[str, Any], depth: int = 0) -> Any:
    """A value with every field that a model knows, as its JSON schema says."""
    if "$ref" in schema:
        return full_example(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, depth + 1)
    for choice in ("anyOf", "allOf", "oneOf"):
        if choice in schema:
            return full_example(schema[choice][0], root, depth + 1)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: full_example(one, root, depth + 1) for name, one in fields.items()}
        case "array":
            return [full_example(schema.get("items", {"type": "string"}), root, depth + 1)]
        case "integer" | "number":
            return max(1, int(schema.get("minimum", 1)))
        case "boolean":
            return True
        case _:
            return "text"


def merged(full: Any, real: Any) -> Any:
    """The real example where there is one, and every other field besides."""
    if isinstance(full, dict) and isinstance(real, dict):
        return {name: merged(full.get(name), real.get(name, full.get(name))) for name in full}
    if isinstance(full, list) and isinstance(real, list) and real and full:
        return [merged(full[0], one) for one in real]
    return full if real is None else real


def bodies(door: Door) -> Iterator[tuple[tuple[str, str], Any]]:
    """Every operation of a door with every field: a real example and a full one."""
    for address, operation in OPERATIONS.items():
        if door in operation.doors:
            schema = operation.command.model_json_schema()
            real = samples.REQUESTS.get(address, {})
            yield address, merged(full_example(schema, schema), real)
            yield address, real


def turn() -> Callable[[], str]:
    """The canaries, one after the other, for ever."""
    count = [0]

    def following() -> str:
        count[0] += 1
        return CANARIES[count[0] % len(CANARIES)]

    return following
