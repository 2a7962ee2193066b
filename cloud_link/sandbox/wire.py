"""Bodies in and out: bounded, decompressed, parsed; replies and problems as JSON."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel, ValidationError

from hub.contract.oms import PROBLEM_CONTENT_TYPE, OmsCode, OmsProblem

from .context import CONTEXT
from .problems import refuse

M = TypeVar("M", bound=BaseModel)
MAX_FORM_BYTES = 8192


async def read_raw(request: web.Request, limit_bytes: int) -> bytes:
    """The body as sent; refuses more than ``limit_bytes``, and one that takes too long."""
    body_s = request.app[CONTEXT].settings.door.body_s
    body = bytearray()
    try:
        async with asyncio.timeout(body_s):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit_bytes:
                    raise refuse(
                        OmsCode.TOO_LARGE, f"A body has at most {limit_bytes} bytes; send less."
                    )
    except TimeoutError:
        raise refuse(
            OmsCode.VALIDATION, f"The body took longer than {body_s} s; send it again."
        ) from None
    return bytes(body)


def decompress(encoding: str, body: bytes, limit_bytes: int) -> bytes:
    """The body in plain; refuses unknown encodings, damaged data and bombs."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip":
            plain = _gunzip(body, limit_bytes)
        case "zstd":
            plain = _unzstd(body, limit_bytes)
        case other:
            raise refuse(
                OmsCode.UNSUPPORTED_ENCODING,
                f"Content-Encoding {other[:40]!r} is not spoken; use zstd, gzip or none.",
            )
    if len(plain) > limit_bytes:
        raise refuse(OmsCode.TOO_LARGE, f"A body has at most {limit_bytes} bytes in plain.")
    return plain


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    opened = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = opened.decompress(body, limit_bytes + 1)
    except zlib.error:
        raise refuse(OmsCode.VALIDATION, "The body is not intact gzip.") from None
    if not opened.eof and len(plain) <= limit_bytes:
        raise refuse(OmsCode.VALIDATION, "The gzip body ends too early.")
    return plain


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    import zstandard

    opened = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).stream_reader(body)
    plain = bytearray()
    try:
        while len(plain) <= limit_bytes:
            piece = opened.read(65_536)
            if not piece:
                break
            plain += piece
        else:
            return bytes(plain)
        if zstandard.frame_content_size(body) not in (-1, len(plain)):
            raise refuse(OmsCode.VALIDATION, "The zstd body ends too early.")
    except zstandard.ZstdError:
        raise refuse(OmsCode.VALIDATION, "The body is not intact zstd.") from None
    return bytes(plain)


def parse(model: type[M], plain: bytes) -> M:
    """The body as its model; refuses with the first thing that is wrong."""
    try:
        return model.model_validate_json(plain)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise refuse(OmsCode.VALIDATION, f"{where}: {first['msg']}") from None


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form (RFC 6749, appendix B); each may come once (section 3.2)."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise refuse(OmsCode.VALIDATION, "The form is malformed.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise refuse(OmsCode.VALIDATION, "A field of the form comes twice.")
    return form


def query_int(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """A number of the query string, refused outside low..high."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise refuse(OmsCode.VALIDATION, f"{name} is a whole number from {low} to {high}.")
    return int(text)


def reply(model: BaseModel) -> web.Response:
    return web.Response(text=model.model_dump_json(by_alias=True), content_type="application/json")


def reply_plain(data: dict[str, Any]) -> web.Response:
    return web.json_response(data)


def problem_response(problem: OmsProblem) -> web.Response:
    headers = {}
    if problem.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-problem.retry_after_ms // 1000))
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=problem.status,
        text=problem.model_dump_json(exclude_none=True),
        content_type=PROBLEM_CONTENT_TYPE,
        headers=headers,
    )


def chunk_response(request: web.Request, compressed: bytes) -> web.Response:
    """A zstd chunk in the first encoding of zstd, gzip, identity that the reader accepts."""
    import zstandard

    accepted = request.headers.get("Accept-Encoding", "").lower()
    headers = {"Cache-Control": "immutable", "Vary": "Accept-Encoding"}
    body = compressed
    if "zstd" in accepted:
        headers["Content-Encoding"] = "zstd"
    else:
        body = zstandard.decompress(compressed)
        if "gzip" in accepted:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 5, mtime=0)
    return web.Response(body=body, content_type="application/jsonl", headers=headers)
