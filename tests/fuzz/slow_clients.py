"""A trial: silent, half-open and dripping clients at every listening door, with the real bounds.

``python -m tests.fuzz.slow_clients --seconds N`` starts a real hub, its broker and a sandbox OMS.
Each round opens every kind of bad connection at every door and waits until it is closed; meanwhile
an honest client must be served at every HTTP door, and a device that takes 5 s for its CONNECT must
stay at the broker.  One trial is one bad connection.  Where the kernel doesn't let the hub close
the broker's connections (the hub says so itself), the broker's doors are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import signal
import ssl
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.hubbox import Box, open_box
from tests.support.rawmqtt import Login

KIND = "slow-clients"
BOUND_S = 15.0
MARGIN_S = 10.0
CONNECT_AFTER_S = 5.0
DRIP_S = 1.0
TELL_EVERY_S = 1.5
HONEST_EVERY_S = 0.5
HONEST_BUSY_S = 20.0

HEAD = b"POST /api/1/pair HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: "
    + base64.b64encode(bytes(16))
    + b"\r\n\r\n"
)
HTTP_CASES: dict[str, bytes] = {
    "says nothing": b"",
    "half a request line": b"GET /api/1/he",
    "half a head": b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\nX-Slow: ",
    "half a body": HEAD + b'Content-Length: 400\r\n\r\n{"code":',
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "stays after its answer": b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\n\r\n",
    "half of the next head": b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\n\r\nGET /api",
}
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "drips a head": (b"GET /api/1/hello HTTP/1.1\r\n", b"X-Slow: 1\r\n"),
    "drips a body": (HEAD + b"Content-Length: 400\r\n\r\n", b" "),
}
SOCKET_CASES: dict[str, bytes] = {
    "upgrade without CONNECT": UPGRADE,
    "upgrade and half a frame": UPGRADE + b"\x82\xfe\x01",
}
MQTT_CASES: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "half a CONNECT": (b"\x10\x22\x00\x04MQ", b""),
    "drips a CONNECT": (b"\x10\xc0\x01\x00\x04MQTT\x05\xc2", b"a"),
}
_LEFT_OUT = ", the broker's doors left out"
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01"


@dataclass(frozen=True, slots=True)
class Where:
    """A door: a port of this machine, or a unix socket; ``trust`` for TLS."""

    name: str
    port: int = 0
    path: str = ""
    trust: ssl.SSLContext | None = None
    bound_s: float = BOUND_S + MARGIN_S


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad client: what it says at once, then ``drip`` again and again."""

    where: Where
    name: str
    said: bytes = b""
    drip: bytes = b""
    raw: bool = False
    """No TLS where TLS is spoken."""

    @property
    def case(self) -> str:
        """Where and what."""
        return f"{self.where.name}: {self.name}"


@dataclass
class Tally:
    """What was seen."""

    trials: int = 0
    waiting: int = 0
    cases: Counter[str] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    honest: int = 0
    slow_stayed: int = 0
    broker_held: bool | None = None
    """Whether the broker's connections are closed, too: not every kernel lets the hub do that."""

    def plan(self, kinds: Sequence[Bad]) -> None:
        """What a round tries, and therefore has to happen."""
        for bad in kinds:
            self.cases[bad.case] += 0

    def line(self, *, done: bool) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": KIND,
            "trials": self.trials,
            "unit": "bad connections",
            "faults": {**self.cases, **self._honesty()},
            "violations": len(self.findings),
            "note": f"{self.waiting} open" + (_LEFT_OUT if self.broker_held is False else ""),
            "done": done,
        }
        if done:
            replay = "python -m tests.fuzz.slow_clients --seconds 30"
            found["findings"] = [{"what": one, "replay": replay} for one in self.findings[:20]]
            found["figures"] = {
                f"closed_s {door}": round(s, 1) for door, s in sorted(self.slowest_s.items())
            }
            found["must_fire"] = [*self.cases, *self._honesty()]
        return found

    def _honesty(self) -> dict[str, int]:
        served = {"honest requests served": self.honest}
        return {**served, "slow devices stayed": self.slow_stayed} if self.broker_held else served


async def closed_after(bad: Bad) -> float | None:
    """Seconds until the door closed the connection; None when it didn't within its bound."""
    where = bad.where
    context = None if bad.raw else where.trust
    began_s = time.monotonic()
    try:
        if where.path:
            reader, writer = await asyncio.open_unix_connection(where.path)
        else:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1",
                where.port,
                ssl=context,
                server_hostname="127.0.0.1" if context else None,
            )
    except (OSError, ssl.SSLError):
        return time.monotonic() - began_s
    dripping = asyncio.create_task(_drip(writer, bad))
    try:
        async with asyncio.timeout(where.bound_s):
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return None
    except (OSError, ssl.SSLError):
        pass
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        writer.transport.abort()
    return time.monotonic() - began_s


async def _drip(writer: asyncio.StreamWriter, bad: Bad) -> None:
    writer.write(bad.said)
    while bad.drip:
        await asyncio.sleep(DRIP_S)
        writer.write(bad.drip)


async def _one(bad: Bad, tally: Tally) -> None:
    tally.waiting += 1
    took_s = await closed_after(bad)
    tally.waiting -= 1
    tally.trials += 1
    door = bad.where.name
    tally.cases[bad.case] += 1
    if took_s is None:
        tally.findings.append(f"{bad.case}: still open after {bad.where.bound_s:.0f} s")
    else:
        tally.slowest_s[door] = max(tally.slowest_s.get(door, 0.0), took_s)


def bad_clients(box: Box, trust_hub: ssl.SSLContext, trust_oms: ssl.SSLContext) -> list[Bad]:
    """Every kind at every HTTP door."""
    ports = box.rig.ports
    doors = [
        Where("hub", ports.https, trust=trust_hub),
        Where("oms", ports.oms, trust=trust_oms),
        Where("admin socket", path=str(box.rig.run_dir / "admin.sock")),
    ]
    found = [Bad(door, name, said) for door in doors for name, said in HTTP_CASES.items()]
    found += [Bad(door, name, *drip) for door in doors for name, drip in DRIPS.items()]
    found += [Bad(doors[0], name, said) for name, said in SOCKET_CASES.items()]
    for door in doors[:2]:
        found += [Bad(door, "no TLS hello", raw=True)]
        found += [Bad(door, "half a TLS hello", HALF_HELLO, raw=True)]
    return found


def bad_devices(box: Box, trust: ssl.SSLContext, device: ssl.SSLContext) -> list[Bad]:
    """At the broker's own listeners; ``device`` has a certificate."""
    ports = box.rig.ports
    doors = [
        Where("broker", ports.password, trust=trust),
        Where("broker mtls", ports.mtls, trust=device),
    ]
    found = [Bad(door, name, *said) for door in doors for name, said in MQTT_CASES.items()]
    for door in doors:
        found += [Bad(door, "no TLS hello", raw=True)]
        found += [Bad(door, "half a TLS hello", HALF_HELLO, raw=True)]
    return found


async def _slow_device(login: Login, tally: Tally) -> None:
    """A device that takes its time for CONNECT is let in, and stays when others are closed."""
    assert login.password is not None
    words = (login.device_id, login.device_id, login.password)
    fields = b"".join(len(word).to_bytes(2, "big") + word.encode() for word in words)
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + fields
    assert len(body) < 128, "one byte of length"
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", login.port, ssl=login.tls, server_hostname="127.0.0.1"
    )
    try:
        await asyncio.sleep(CONNECT_AFTER_S)
        writer.write(bytes((0x10, len(body))) + body)
        async with asyncio.timeout(HONEST_BUSY_S):
            accepted = await reader.readexactly(4)
        await asyncio.sleep(BOUND_S)
        writer.write(b"\xc0\x00")
        async with asyncio.timeout(HONEST_BUSY_S):
            answered = await reader.readexactly(2)
        if (accepted, answered) == (b"\x20\x02\x00\x00", b"\xd0\x00"):
            tally.slow_stayed += 1
        else:
            tally.findings.append(f"a slow device got {accepted!r}, {answered!r}")
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        tally.findings.append(f"a slow device was not let in or did not stay: {error!r}")
    finally:
        writer.transport.abort()


async def _honest(box: Box, trust: ssl.SSLContext, tally: Tally) -> None:
    """Somebody who does everything right, all the time."""
    timeout = aiohttp.ClientTimeout(total=HONEST_BUSY_S)
    while True:
        try:
            async with (
                aiohttp.TCPConnector(ssl=trust, local_addr=("127.0.0.9", 0)) as way,
                aiohttp.ClientSession(box.url, connector=way, timeout=timeout) as http,
                http.get("/api/1/hello") as answer,
            ):
                served = answer.status == 200
            served = served and bool(await box.status()) and bool(await box.rig.oms_admin.stats())
        except Exception as error:  # whatever it is, it is a finding
            served = False
            tally.findings.append(f"an honest client was not served: {error!r}")
        tally.honest += served
        await asyncio.sleep(HONEST_EVERY_S)


async def _tell(tally: Tally) -> None:
    while True:
        _print(tally.line(done=False))
        await asyncio.sleep(TELL_EVERY_S)


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _try(options: argparse.Namespace, tally: Tally) -> None:
    until_s = time.monotonic() + options.seconds
    telling = asyncio.create_task(_tell(tally))
    async with open_box() as box:
        tls = box.rig.base / "hub" / "tls" / "ca-bundle.pem"
        trust = ssl.create_default_context(cafile=str(tls))
        trust_oms = ssl.create_default_context(cafile=str(box.rig.base / "oms" / "tls" / "ca.pem"))
        honest = asyncio.create_task(_honest(box, trust, tally))
        store = await box.pair(auth="password")
        by_certificate = (await box.pair()).tls_context(with_certificate=True)
        tally.broker_held = not (await box.status())["broker"]["detail"]
        if not tally.broker_held:
            sys.stderr.write("the hub may not close the broker's connections: doors left out\n")
        first = True
        while first or (time.monotonic() < until_s - BOUND_S and tally.trials < options.trials):
            first = False
            kinds = bad_clients(box, trust, trust_oms)
            if tally.broker_held:
                kinds += bad_devices(box, trust, by_certificate)
            tally.plan(kinds)
            rounds = [_one(bad, tally) for bad in kinds]
            if tally.broker_held:
                rounds += [_slow_device(box.login(store), tally)]
            await asyncio.gather(*rounds)
        honest.cancel()
        await asyncio.gather(honest, return_exceptions=True)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every bad client was closed and every honest one served."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.slow_clients", description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--trials", type=int, default=10**9, help="no new round after so many")
    parser.add_argument("--seed", type=int, default=1, help="taken for company; nothing is random")
    options = parser.parse_args(arguments)
    tally = Tally()
    asyncio.run(_try(options, tally))
    _print(tally.line(done=True))
    return 1 if tally.findings else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    raise SystemExit(main())
