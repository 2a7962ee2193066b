"""The real hub, opened for :mod:`tests.fuzz.explorer` as a technician's page would be."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scripts.rig import ShopRig
from tests.fuzz.explorer import Opened, published
from tests.support.hubbox import Box, open_box

DOCUMENT = "hub.openapi.yaml"
COOKIE = "__Host-store-hub"
OPERATIONS_REFUSE = ("422", "507")
_EVENT = {
    "description": "One event of the stream, as its parser sees it.",
    "type": "object",
    "properties": {
        "event": {"enum": ["status", "beat", "signed-out"]},
        "data": {"type": "string"},
    },
    "required": ["event", "data"],
}


@asynccontextmanager
async def opened_hub(folder: Path) -> AsyncIterator[Opened]:
    """A hub of its own without a cloud, with a session of a technician."""
    async with open_box(cloud=False) as box:
        ca = folder / "ca.pem"
        authority = box.rig.base / "hub" / "tls" / "ca-bundle.pem"
        await asyncio.to_thread(ca.write_bytes, authority.read_bytes())
        cookie, csrf = await _signed_in(box.rig, ca)
        spare = [await _signed_in(box.rig, ca) for _ in range(3)]
        yield _opened(box, str(ca), cookie, csrf, spare)


async def _signed_in(rig: ShopRig, ca: Path) -> tuple[str, str]:
    code = (await rig.admin.open_technician())["code"]

    def ask() -> tuple[str, str]:
        request = urllib.request.Request(
            f"https://127.0.0.1:{rig.ports.https}/api/1/session",
            json.dumps({"code": code}).encode(),
            {"Content-Type": "application/json"},
        )
        trust = ssl.create_default_context(cafile=str(ca))
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            return cookie, json.load(answer)["csrf"]

    return await asyncio.to_thread(ask)


def _opened(box: Box, ca: str, cookie: str, csrf: str, spare: list[tuple[str, str]]) -> Opened:
    document = published(DOCUMENT)
    document["components"]["schemas"]["EventStream"] = _EVENT
    csrf_parameter = document["components"]["parameters"]["csrf"]
    document["paths"]["/api/1/session"]["delete"]["parameters"] = [
        csrf_parameter | {"schema": {"enum": [token for _, token in spare]}, "example": spare[0][1]}
    ]
    csrf_parameter |= {"schema": {"enum": [csrf]}, "example": csrf}
    keys, turns = itertools.count(1), itertools.count()

    def fresh(case: Any) -> None:
        if "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = f"fuzz-{next(keys):08}"

    def leave(case: Any) -> None:
        """Signing out ends a session: another one than the run's own."""
        cookies = {token: other for other, token in spare}
        case.cookies[COOKIE] = cookies[case.headers["X-CSRF-Token"]].partition("=")[2]

    def pair(case: Any) -> None:
        """Every other valid request has a code that is open."""
        if next(turns) % 2:
            link = asyncio.run(box.rig.admin.open_pairing())
            case.body["code"] = parse_qs(urlsplit(link).query)["code"][0]
            case.body["auth"] = "password"

    def sign_in(case: Any) -> None:
        if next(turns) % 2:
            case.body = {"code": asyncio.run(box.rig.admin.open_technician())["code"]}

    operations = [
        f"POST {path}"
        for path, item in document["paths"].items()
        if path.count("/") == 4 and "507" in item.get("post", {}).get("responses", {})
    ]
    paged = [
        f"GET {path}"
        for path, item in document["paths"].items()
        if any(one.get("name") == "cursor" for one in item.get("get", {}).get("parameters", ()))
    ]
    # No schema says which cursors there are; one that no page gave is refused.
    edits: dict[str, Any] = dict.fromkeys(operations, fresh)
    edits |= {"POST /api/1/pair": pair, "POST /api/1/session": sign_in}
    edits["DELETE /api/1/session"] = leave
    return Opened(
        name="hub",
        document=document,
        base_url=box.url,
        api_keys={"session": cookie.partition("=")[2]},
        ca=ca,
        edits=edits,
        semantic=dict.fromkeys(operations, OPERATIONS_REFUSE)
        | dict.fromkeys(paged, ("422",))
        | {"POST /api/1/pair": ("422",), "POST /api/1/renewals": ("422",)}
        | {"GET /mqtt": ("400",)},
    )
