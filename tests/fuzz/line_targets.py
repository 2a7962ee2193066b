"""Settings that a person wrote, and what ends up in the log."""

from __future__ import annotations

import io
import json
import logging
from collections import deque
from random import Random
from typing import Any, Final

from hub.config import ConfigError
from hub.config.loader import load
from hub.domain import cards
from hub.logs import (
    HubHandler,
    JsonHandler,
    Masker,
    RateBound,
    Recent,
    TextHandler,
    journal_datagram,
)
from tests.fakes import FakeClock
from tests.fuzz.engine import Target, run_async, scratch

SECRET: Final = "s3cr3t-t0ken"


# Settings ----------------------------------------------------------------------------------------

_CONFIG: Final = b"""\
# settings
[store]
id = "367"
timezone = "Europe/Berlin"
currency = "EUR"
name = "Corner Shop"

[web]
port = 8443

[cloud]
url = "https://oms.example"
token = "s3cr3t-t0ken"
linger_ms = 20

[log]
level = "info"
"""


def settings(data: bytes) -> None:
    """A TOML file, then environment and ``--set`` after a line of dashes."""
    toml, _, rest = data.partition(b"\n-----\n")
    path = scratch() / "config.toml"
    path.write_bytes(toml)
    env: dict[str, str] = {}
    overrides: list[str] = []
    for line in rest.decode(errors="replace").splitlines():
        name, equals, value = line.partition("=")
        if line.startswith("--set "):
            overrides.append(line.removeprefix("--set "))
        elif equals and name.startswith("STORE_HUB__") and "\0" not in value:
            env[name] = value
    try:
        loaded = load(path, env=env, overrides=overrides)
    except ConfigError as error:
        _helpful(error)
        raise
    for setting, shown, _ in loaded.rows():
        assert not setting.secret or shown in ("", "********")
    loaded.secrets()


def _helpful(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.message
        assert problem.next_step
        json.dumps(problem.to_json())


# Logs --------------------------------------------------------------------------------------------


def log_line(data: bytes) -> None:
    """Whatever is logged: one line, no secret, no control character; JSON stays JSON."""
    text = data.decode(errors="surrogateescape")
    record = logging.LogRecord("hub.test", logging.WARNING, __file__, 1, "%s", (text,), None)
    record.device = text[:200]
    for kind in (TextHandler, JsonHandler):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, "utf-8", errors="backslashreplace", newline="")
        handler = kind(Masker((SECRET,)), Recent(), RateBound(100, FakeClock()), stream)
        handler.handleError = _raise  # type: ignore[method-assign,assignment]
        handler.emit(record)
        stream.flush()
        line = raw.getvalue()
        assert line.count(b"\n") == 1, "one message, several lines"
        assert line.endswith(b"\n")
        assert SECRET.encode() not in line
        if kind is JsonHandler:
            assert json.loads(line)["level"] == "warning"
        else:
            assert not any(byte < 32 and byte != 9 for byte in line[:-1])
    entry = _entry(record)
    assert cards.find_card_data(entry.message) is None, entry.message
    assert journal_datagram(entry).startswith(b"MESSAGE\n")


def _raise(_record: logging.LogRecord) -> None:
    raise  # noqa: PLE0704 - called where an exception is being handled


def _entry(record: logging.LogRecord) -> Any:
    handler = HubHandler(Masker((SECRET,)), Recent(), RateBound(100, FakeClock()))
    return handler._entry(record)


def broker_log(data: bytes) -> None:
    """The broker's standard error: any bytes, in any pieces."""
    import asyncio

    from hub.mqtt.logpipe import pump_log

    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    async def run() -> None:
        stream = asyncio.StreamReader()
        log = logging.Logger("broker")
        log.addHandler(Keep())
        task = asyncio.create_task(pump_log(stream, log, deque(maxlen=10), FakeClock()))
        rng = Random(len(data))
        at = 0
        while at < len(data):
            size = rng.choice((1, 7, 100, 5000))
            stream.feed_data(data[at : at + size])
            at += size
            await asyncio.sleep(0)
        stream.feed_eof()
        await task

    run_async(run())
    assert all(len(line) <= 2000 for line in seen)


def targets() -> tuple[Target, ...]:
    """All of this room."""
    env = b"STORE_HUB__WEB__PORT=9\nSTORE_HUB__CLOUD__TOKEN_FILE=/nowhere\n--set log.level=debug"
    return (
        Target(
            "settings",
            settings,
            (_CONFIG, _CONFIG + b"\n-----\n" + env),
            (ConfigError,),
            tokens=(
                b"[log]",
                b"\\u0000",
                b'token_file = "/x"',
                b"id = 1",
                b"= {a = 1}",
                b"1979-05-27",
                b"--set a.b=c",
                b"STORE_HUB__",
                b"'''",
                b"inf",
                b"[[store]]",
                b"\n-----\n",
            ),
            weight=2,
        ),
        Target(
            "log-line",
            log_line,
            (
                b"a plain line",
                b"two\nlines\r\x1b[31m",
                SECRET.encode() + b" \xff",
                b"t=4111",
                b"by 4111 1111 1111 1111 and 4111111111111111.",
            ),
            tokens=(SECRET.encode(), b"\xe2\x80\xa8", b"\n", b"%s"),
        ),
        Target(
            "broker-log", broker_log, (b"1: New client\nError: x\nWarning: y\n", b"\xff" * 3000)
        ),
    )
