"""Runs the machine: gives it the checkout, hears its lines, and does what only the host can do."""

from __future__ import annotations

import asyncio
import compileall
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from scripts.rig.process import ROOT, Child
from scripts.usbvm.machine import QEMU

INSIDE: Final = ("hub", "devices", "cloud_link", "scripts", "contract", "pyproject.toml")
CONNECT_S: Final = 60.0
MEMORY_MIB: Final = 1536
_TRIES: Final = 20
_POLL_S: Final = 0.25


class MachineFailed(RuntimeError):
    """It ended, or said no, where it should not have; the text quotes the end of its console."""


def write_checkout(target: Path, wanted: Mapping[str, Any]) -> None:
    """What runs inside, as an archive, with ``wanted`` as ``usbvm.json``.  Files that come and go
    meanwhile are left out."""
    with tarfile.open(target, "w") as archive:
        for name in (*INSIDE, *(one.name for one in ROOT.glob("*.egg-info"))):
            # Here it takes a second; inside, with the same Python, a minute.
            compileall.compile_dir(ROOT / name, quiet=2)
            for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
                if path.is_file() and not path.is_symlink():
                    with suppress(FileNotFoundError):
                        archive.add(path, str(path.relative_to(ROOT)), filter=_nobodys)
        text = json.dumps(wanted).encode()
        info = tarfile.TarInfo("usbvm.json")
        info.size, info.mode = len(text), 0o644
        archive.addfile(info, io.BytesIO(text))


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mode |= 0o444
    return info


def command(files: Path, base: Path) -> list[str]:
    """Without KVM: it is slower and the same everywhere."""
    disk = "if=virtio,format=raw"
    return [
        shutil.which(QEMU) or QEMU,
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "2", "-m", str(MEMORY_MIB),
        "-kernel", str(files / "vmlinuz"), "-initrd", str(files / "initrd"),
        "-append", "console=ttyS0 quiet panic=-1",
        "-drive", f"{disk},file={files / 'root.img'},snapshot=on",
        "-drive", f"{disk},file={base / 'checkout.tar'},readonly=on",
        "-serial", f"file:{base / 'console.log'}", "-serial", "stdio",
        "-qmp", f"unix:{base / 'qmp'},server=on,wait=off",
        "-chardev", f"socket,id=scanner,path={base / 'scanner'},server=on,wait=off",
        "-device", "qemu-xhci,id=usb",
    ]  # fmt: skip


class Machine:
    """One run.  ``told`` hears each ``line`` of the trial inside; ``base``: a short path."""

    def __init__(self, files: Path, base: Path, told: Callable[[dict[str, Any]], None]) -> None:
        self._base = base
        self._told = told
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)
        self._child = Child(
            "the machine", command(files, base), log=base / "machine.log", on_line=self._hear
        )

    async def run(self, wanted: Mapping[str, Any], limit_s: float) -> None:
        """From switching on to switching off.  Errors: :class:`MachineFailed`, OSError."""
        await asyncio.to_thread(write_checkout, self._base / "checkout.tar", wanted)
        await self._child.start()
        serving = asyncio.create_task(self._serve())
        ended = asyncio.create_task(self._child.ended())
        try:
            done, _ = await asyncio.wait(
                {serving, ended}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if serving in done:
                await serving
            if not done:
                raise MachineFailed(f"it wasn't done after {limit_s:.0f} s{self._console()}")
            if ended in done and ended.result() != 0:
                raise MachineFailed(f"QEMU ended with {ended.result()}:\n{self._child.tail()}")
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            await self._child.stop()

    def _console(self) -> str:
        with suppress(OSError):
            text = (self._base / "console.log").read_text(errors="replace")
            return "; its console ends with:\n" + "\n".join(text.splitlines()[-15:])
        return ""

    def _hear(self, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return
        if isinstance(told, dict) and isinstance(told.get("line"), dict):
            self._told(told["line"])
        elif isinstance(told, dict) and isinstance(told.get("ask"), dict):
            self._asked.put_nowait(told["ask"])

    async def _serve(self) -> None:
        """Do what is asked, in order."""
        async with AsyncExitStack() as stack:
            control, told = await _connected(self._base / "qmp"), await self._asked.get()
            stack.callback(control[1].close)
            serial = await _connected(self._base / "scanner")
            stack.callback(serial[1].close)
            await _execute(control, {"execute": "qmp_capabilities"})
            while True:
                if isinstance(text := told.get("serial"), str):
                    serial[1].write(text.encode())
                    await serial[1].drain()
                else:
                    await _execute(control, told)
                told = await self._asked.get()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connected(path: Path) -> Stream:
    async with asyncio.timeout(CONNECT_S):
        while True:
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return await asyncio.open_unix_connection(path)
            await asyncio.sleep(_POLL_S)


async def _execute(stream: Stream, what: Mapping[str, Any]) -> None:
    """One command of QEMU's monitor; a device that is still going away is waited for."""
    reader, writer = stream
    for _ in range(_TRIES):
        writer.write(json.dumps(what).encode() + b"\n")
        await writer.drain()
        answer = await _answer(reader)
        if "error" not in answer:
            return
        if "Duplicate" not in str(answer["error"]):
            break
        await asyncio.sleep(_POLL_S)
    raise MachineFailed(f"QEMU refused {dict(what)}: {answer['error']}")


async def _answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The next answer; greetings and events are passed over."""
    while line := await reader.readline():
        told = json.loads(line)
        if "return" in told or "error" in told:
            return dict(told)
    raise MachineFailed("QEMU's monitor closed")
