"""Inputs that are nearly right: JSON changed as JSON, text as text, bytes as bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

INPUT_BYTES_MAX = 65_536

NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2**31 - 1,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    1e-308,
    float("nan"),
    float("inf"),
    float("-inf"),
    9_000_000_000_000_000,
    1_000_000_000,
    1_000_000_001,
    256,
    500,
    501,
    1_795_327_962_120,
)
TEXTS: tuple[Any, ...] = (
    "",
    " ",
    "\0",
    "\x1b[31m",
    "\u2028",
    "\ud800",
    "\udfff\ud800",
    "a" * 65,
    "a" * 513,
    "\n",
    "é",
    "e\u0301",
    "٠١٢٣",
    "\U0001d7dc\U0001d7d9",
    "../../etc/passwd",
    "%s%n",
    "'; DROP TABLE sales; --",
    "+",
    "#",
    "$SYS",
    "till-1",
    "till-2",
    "4111 1111 1111 1111",
    "0" * 20,
    "-1",
    "NaN",
    "1e400",
    "null",
    "true",
    "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",
    "00000000-0000-0000-0000-000000000000",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": ""})
BYTES: tuple[bytes, ...] = (
    b"\0",
    b"\xff",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x1d",
    b"\r",
    b"\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b"=",
    b"^",
    b"%",
    b";",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"]C1",
    b"]E0",
    b"(01)",
    b"0104006381333931",
    b"4111111111111111",
    b"1e999",
    b"NaN",
    b"9" * 40,
    b"1" * 5000,
    b"\\ud800",
    b"\\u0000",
)


def mutate(
    rng: Random,
    seed: bytes,
    pool: Sequence[bytes],
    tokens: Sequence[bytes] = (),
    prefix: int = 0,
) -> bytes:
    """A changed ``seed``; at times the seed itself, spliced with others, or plain noise."""
    head, body = seed[:prefix], seed[prefix:]
    if prefix and rng.random() < 0.3:
        head = bytes(rng.randrange(256) for _ in range(prefix))
    choice = rng.random()
    if choice < 0.05:
        pass
    elif choice < 0.7:
        body = _json_lines(rng, body) or _bytes(rng, body, pool, tokens, prefix)
    else:
        for _ in range(rng.choice((1, 1, 2, 4))):
            body = _bytes(rng, body, pool, tokens, prefix)
    return (head + body)[:INPUT_BYTES_MAX]


def _bytes(
    rng: Random, data: bytes, pool: Sequence[bytes], tokens: Sequence[bytes], prefix: int
) -> bytes:
    at = rng.randrange(len(data) + 1)
    upto = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
    before, middle, after = data[:at], data[at:upto], data[upto:]
    match rng.randrange(9):
        case 0 if middle:
            made = bytes((middle[0] ^ (1 << rng.randrange(8)),)) + middle[1:] + after
        case 1:
            made = after
        case 2:
            made = middle * rng.choice((2, 3, 9)) + after
        case 3:
            made = b""
        case 4:
            made = rng.randbytes(rng.choice((1, 2, 8))) + middle + after
        case 5 if tokens:
            made = rng.choice(list(tokens)) + rng.choice((middle, b"")) + after
        case 6:
            other = rng.choice(list(pool))[prefix:]
            made = other[rng.randrange(len(other) + 1) :]
        case 7:
            before, made = b"", rng.randbytes(rng.choice((0, 1, 3, 17, 200)))
        case _:
            made = rng.choice(BYTES) + rng.choice((middle, b"")) + after
    return before + made


def _json_lines(rng: Random, body: bytes) -> bytes | None:
    """Change one line that is JSON; None when none is."""
    lines = body.split(b"\n")
    places = [index for index, line in enumerate(lines) if line[:1] in (b"{", b"[")]
    if not places:
        return None
    index = rng.choice(places)
    try:
        value = json.loads(lines[index])
    except (ValueError, RecursionError):
        return None
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _changed(rng, value)
    try:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.7, separators=(",", ":"))
        lines[index] = text.encode(errors="surrogatepass")
    except (ValueError, RecursionError):
        return None
    if rng.random() < 0.05:
        lines[index] = _doubled_key(rng, lines[index])
    return b"\n".join(lines)


def _doubled_key(rng: Random, line: bytes) -> bytes:
    """The first key again with another value, which JSON allows."""
    end = line.find(b":")
    if end < 0 or line[:1] != b"{":
        return line
    return line[: end + 1] + rng.choice((b"null", b"1", b'"x"')) + b"," + line[1:]


def _changed(rng: Random, value: Any) -> Any:
    path = _somewhere(rng, value)
    if not path:
        return _replaced(rng, value)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    last = path[-1]
    match rng.randrange(8):
        case 0:
            del parent[last]
        case 1 if isinstance(parent, dict):
            parent[rng.choice(("", "x", "idempotency_key", "correlation", str(last) + "s"))] = (
                _nasty(rng)
            )
        case 2 if isinstance(parent, list):
            parent.extend([parent[last]] * rng.choice((1, 2, 30, 600)))
        case 3:
            parent[last] = [parent[last]]
        case _:
            parent[last] = _replaced(rng, parent[last])
    return value


def _somewhere(rng: Random, value: Any) -> list[Any]:
    path: list[Any] = []
    while True:
        if isinstance(value, dict) and value:
            key: Any = rng.choice(list(value))
        elif isinstance(value, list) and value:
            key = rng.randrange(len(value))
        else:
            return path
        path.append(key)
        value = value[key]
        if rng.random() < 0.25:
            return path


def _replaced(rng: Random, value: Any) -> Any:
    """Mostly something of the same kind, so that the first check lets it through."""
    if rng.random() < 0.25:
        return _nasty(rng)
    match value:
        case bool():
            return not value
        case int():
            near = (value + 1, value - 1, -value, value * 10, value * 1000)
            return rng.choice((*near, *NUMBERS))
        case float():
            return rng.choice(NUMBERS)
        case str():
            at = rng.randrange(len(value) + 1)
            return rng.choice(
                (value[:at], value + rng.choice(TEXTS), value[:at] + rng.choice(TEXTS) + value[at:])
            )
        case _:
            return _nasty(rng)


def _nasty(rng: Random) -> Any:
    kind = rng.randrange(8)
    if kind == 0:
        deep: Any = rng.choice(TEXTS)
        for _ in range(rng.choice((3, 70, 300))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return deep
    return rng.choice((NUMBERS, TEXTS, TEXTS, OTHERS)[kind % 4])
