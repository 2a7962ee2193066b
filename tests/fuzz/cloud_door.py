"""The sandbox OMS as a process, opened for :mod:`tests.fuzz.explorer` as a hub would be."""

from __future__ import annotations

import itertools
import json
import ssl
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.rig.process import Child
from tests.fuzz.explorer import Opened, Schema, published

STORE, GREETED = "367", "368"
"""The second is for HELLO, which would end the session of the first."""
ALL = slice(None)
DOCUMENT = "oms.openapi.yaml"


@asynccontextmanager
async def opened_cloud(folder: Path, kinds: slice = ALL, *arguments: str) -> AsyncIterator[Opened]:
    """A sandbox of its own, with a session for a hub; ``kinds``: which types of events to send."""
    child = Child(
        "the sandbox OMS",
        [
            *(sys.executable, "-m", "cloud_link.sandbox", "--state", str(folder / "oms")),
            *("--store", STORE, "--store", GREETED, "--seed-demo", "--skus", "40", *arguments),
        ],
        log=folder / "oms.log",
    )
    await child.start()
    try:
        ready = await child.ready(60.0)
        yield _opened(ready, kinds)
    finally:
        await child.stop()


def _opened(ready: dict[str, Any], kinds: slice) -> Opened:
    bearer = {"Authorization": f"Bearer {ready['token']}"}
    trust = ssl.create_default_context(cafile=ready["ca"]) if ready["ca"] else None

    def call(path: str, body: object = None, **headers: str) -> Any:
        request = urllib.request.Request(
            f"{ready['url']}/v1/stores/{STORE}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"} | bearer | headers,
        )
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            return json.load(answer)

    hello = call("/hub-sessions", _hello("fuzz-1", 0))
    session = {
        "Store-Hub-Incarnation": str(hello["incarnation"]),
        "Store-Hub-Session": hello["session_token"],
    }
    manifest = call("/datasets/catalog/manifest", **session)
    numbers = {stream: itertools.count(1) for stream in _STREAMS}
    nonces = itertools.count(2)
    source = f"/stores/{STORE}/hubs/fuzz/{hello['incarnation']}"

    def greet(case: Any) -> None:
        case.body["nonce"] = f"{next(nonces):032x}"

    def number(case: Any) -> None:
        for event in case.body:
            event["source"] = source
            event["sequence"] = f"{next(numbers[event['stream']]):020}"

    return Opened(
        name="oms",
        document=_document(kinds),
        base_url=ready["url"],
        headers=bearer,
        ca=ready["ca"] or None,
        narrowed={
            "Store-Hub-Incarnation": {"type": "integer", "enum": [hello["incarnation"]]},
            "Store-Hub-Session": {"enum": [hello["session_token"]]},
            "Content-Encoding": {"enum": ["identity"]},
            "source_prefix": {"enum": [f"/stores/{STORE}/", f"{source}"]},
            "generation": {"enum": [manifest["generation"]]},
            "index": {"type": "integer", "enum": [0]},
            "cursor": {"enum": ["", manifest["as_of_cursor"]]},
            "after": {"enum": [""]},
            "wait": {"type": "integer", "enum": [0]},
        },
        edits={
            "POST /v1/stores/{store}/hub-sessions": greet,
            "POST /v1/stores/{store}/events": number,
        },
        semantic={
            "POST /v1/stores/{store}/hub-sessions": ("422",),
            "POST /v1/stores/{store}/events": ("422",),
            "GET /v1/stores/{store}/datasets/{name}/chunks/{generation}/{index}": ("410",),
            "GET /v1/stores/{store}/datasets/{name}/changes": ("410",),
        },
        opaque=frozenset({"cursor", "after"}),
    )


_STREAMS = ("sales", "payments", "orders", "stock", "telemetry")


def _hello(nonce: str, incarnation: int) -> dict[str, object]:
    return {
        "hub_id": "fuzz",
        "nonce": nonce * 4,
        "machine_id_hash": "0" * 64,
        "incarnation": incarnation,
        "last_seqs": {},
        "contract": [1, 1],
        "reason": "new",
    }


def _document(kinds: slice) -> Schema:
    """The published one; ``if``/``then`` of the events become one schema for each type, which is
    what values can be generated from."""
    document = published(DOCUMENT)
    hello = document["paths"]["/v1/stores/{store}/hub-sessions"]["post"]
    store = document["components"]["parameters"]["store"] | {"schema": {"enum": [GREETED]}}
    hello["parameters"][0] = store | {"name": "store", "example": GREETED}
    schemas = document["components"]["schemas"]
    document["components"]["parameters"]["store"] |= {"schema": {"enum": [STORE]}, "example": STORE}
    event = schemas["CloudEvent"]
    cases = event.pop("allOf")[kinds]
    schemas["EventBatch"]["items"] = {
        "anyOf": [
            event
            | {
                "properties": event["properties"]
                | {"type": case["if"]["properties"]["type"], **case["then"]["properties"]}
            }
            for case in cases
        ]
    }
    return document
