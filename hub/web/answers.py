"""Requests read within bounds, and answers: JSON, or problem details (RFC 9457)."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from hub import events
from hub.clock import Ids
from hub.contract.base import Outgoing
from hub.contract.problems import Code, Problem, Refusal, problem, refuse
from hub.domain.errors import DomainError
from hub.service.answers import from_domain, from_storage, from_validation
from hub.storage.errors import StorageError
from hub.web.listener import network_of

_log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""No HSTS: a box is reached by address and by names that its successor takes over with another
authority; a browser that insists on the old one would lock the technician out."""


DOCUMENT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox"
)


def address_of(request: web.Request) -> str:
    """Where a request comes from, for counting; forwarded headers are never believed."""
    return network_of(request.remote or "?")


async def read_body(request: web.Request, body_s: float) -> bytes:
    """The whole body, in time.  Errors: 408, and 413 as aiohttp raises it."""
    try:
        async with asyncio.timeout(body_s):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None


async def read_model(request: web.Request, model: type[M], body_s: float) -> M:
    """The body as a message.  Errors: ``validation``."""
    need_json(request)
    raw = await read_body(request, body_s)
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Refusal(from_validation(error)) from None


def need_json(request: web.Request) -> None:
    """A page of another site can post a form, but not JSON without asking first (CORS)."""
    if request.content_type != "application/json":
        raise refuse(Code.VALIDATION, "Send JSON: Content-Type application/json.")


def answer(result: Outgoing, status: int = 200) -> web.Response:
    """A message as JSON."""
    return web.Response(
        text=result.model_dump_json(exclude_none=True),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def document(html: str) -> web.Response:
    """A page of one file that has nothing to do with ours: it may run nothing and ask for nothing,
    but brings its own style and pictures."""
    return web.Response(
        text=html,
        content_type="text/html",
        headers={"Cache-Control": "no-store", "Content-Security-Policy": DOCUMENT_POLICY},
    )


def problem_answer(found: Problem) -> web.Response:
    """A problem, with ``Retry-After`` (whole seconds) when a repeat can help."""
    headers = {"Cache-Control": "no-store"}
    if found.retry_after_ms is not None:
        headers["Retry-After"] = str(math.ceil(found.retry_after_ms / 1000))
    return web.Response(
        text=found.model_dump_json(exclude_none=True),
        status=found.status,
        content_type="application/problem+json",
        headers=headers,
    )


def gate_answer(text: str) -> web.Response:
    """The gate's reply: its result alone, or its problem."""
    reply = json.loads(text)
    if not reply["ok"]:
        return problem_answer(Problem.model_validate(reply["problem"]))
    return web.json_response(reply["result"], headers={"Cache-Control": "no-store"})


def too_often(wait_s: float) -> Refusal:
    """What somebody hears who tries too often."""
    return Refusal(
        problem(
            Code.BUSY,
            f"Too many tries from this address: wait {math.ceil(wait_s)} s.",
            retry_after_ms=math.ceil(wait_s * 1000),
        )
    )


async def guarded(request: web.Request, handler: Handler, ids: Ids) -> web.StreamResponse:
    """Run a handler; whatever it raises becomes a problem."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return problem_answer(refusal.problem)
    except DomainError as error:
        return problem_answer(from_domain(error))
    except StorageError as error:
        return problem_answer(from_storage(error))
    except web.HTTPException as error:
        return _http_problem(error)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except web.RequestPayloadError:
        return problem_answer(problem(Code.VALIDATION, "The body is cut off or malformed."))
    except TimeoutError:
        return problem_answer(
            problem(Code.BUSY, "The hub is busy: repeat shortly.", retry_after_ms=1000)
        )
    except Exception:
        instance = f"urn:uuid:{ids.uuid7()}"
        _log.exception(
            "%s %s failed, %s",
            request.method,
            request.path,
            instance,
            extra=events.PAGE_FAILED(instance=instance),
        )
        return problem_answer(
            problem(
                Code.UNAVAILABLE,
                "The hub failed on this request. Its log names the cause.",
                instance=instance,
                retry_after_ms=2000,
            )
        )


_HTTP_CODES: Final = {
    400: Code.VALIDATION,
    404: Code.NOT_FOUND,
    405: Code.NOT_FOUND,
    408: Code.EXPIRED,
    413: Code.TOO_LARGE,
}


def _http_problem(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals, and the bridge's, in the same form as ours."""
    if error.status < 400:
        raise error
    status = HTTPStatus(error.status)
    detail = error.text if error.text and not error.text.startswith(str(error.status)) else ""
    found = Problem(
        type="about:blank",
        title=status.phrase,
        status=error.status,
        detail=(detail or "The contract (contract/hub.openapi.yaml) lists what there is.").strip(),
        code=_HTTP_CODES.get(error.status, Code.UNAVAILABLE),
    )
    response = problem_answer(found)
    for name in ("Allow", "Retry-After", "Connection"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response
