"""Checks of data sets and digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hub.contract.digests import digest_bucket
from hub.contract.oms_datasets import DATASETS, MAX_CHUNK_BYTES, ROW_MODELS, DatasetName, Manifest

from .bench import Bench, PretendHub, expect, expect_problem, expect_status
from .caller import Answer


async def _manifest(hub: PretendHub, name: DatasetName) -> Manifest:
    answer = await hub.caller.get(f"/datasets/{name}/manifest")
    return Manifest.model_validate(expect_status(answer, 200, f"manifest of {name}"))


async def _chunk(hub: PretendHub, url: str, accept: str) -> Answer:
    answer = await hub.caller.call("GET", url, headers={"Accept-Encoding": accept})
    expect(answer.status == 200, f"chunk {url}: {answer.status}")
    return answer


async def snapshots_match_their_manifest(bench: Bench) -> str:
    """Every chunk has the rows, bytes and sha256 its manifest says, in any encoding."""
    hub = await bench.new_hub()
    counts = {}
    for name in DATASETS:
        manifest = await _manifest(hub, name)
        total = 0
        for n, chunk in enumerate(manifest.chunks):
            text = (await _chunk(hub, chunk.url, ("zstd", "gzip", "identity")[n % 3])).body
            expect(chunk.index == n, f"{name}: chunk {n} has index {chunk.index}")
            expect(len(text) == chunk.bytes <= MAX_CHUNK_BYTES, f"{name}/{n}: {len(text)} bytes")
            right = hashlib.sha256(text).hexdigest() == chunk.sha256
            expect(right, f"{name}/{n}: sha256 differs")
            rows = [json.loads(line) for line in text.splitlines()]
            expect(len(rows) == chunk.rows, f"{name}/{n}: {len(rows)} rows, not {chunk.rows}")
            _check_rows(name, rows)
            total += len(rows)
        expect(total == manifest.rows, f"{name}: {total} rows, manifest says {manifest.rows}")
        counts[name] = total
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _check_rows(name: DatasetName, rows: list[Any]) -> None:
    models = ROW_MODELS[name]
    for row in rows:
        fitting = [m for m in models if _kind(m) in (None, row.get("kind"))]
        if models:
            expect(bool(fitting), f"{name}: no such kind of row: {row}")
            fitting[0].model_validate(row)


def _kind(model: type[Any]) -> str | None:
    found = model.model_fields.get("kind")
    return None if found is None else str(found.default)


async def a_generation_is_frozen(bench: Bench) -> str:
    """Each encoding gives the same text; a generation nobody knows is gone."""
    hub = await bench.new_hub()
    manifest = await _manifest(hub, "catalog")
    if not manifest.chunks:
        return "the catalogue is empty here; nothing to compare"
    url = manifest.chunks[0].url
    texts = {(await _chunk(hub, url, one)).body for one in ("zstd", "gzip", "identity")}
    expect(len(texts) == 1, "the encodings give different texts")
    unknown = url.replace(manifest.generation, "no-such-generation")
    expect_problem(await hub.caller.call("GET", unknown), 410, "cursor-gone", "an old generation")
    return f"generation {manifest.generation}"


async def changes_follow_the_snapshot(bench: Bench) -> str:
    """Changes from the snapshot's cursor; a cursor of another life is 410."""
    hub = await bench.new_hub()
    for name in DATASETS:
        manifest = await _manifest(hub, name)
        path = f"/datasets/{name}/changes"
        answer = await hub.caller.get(path, cursor=manifest.as_of_cursor, limit="10")
        body = expect_status(answer, 200, path)
        expect(isinstance(body.get("changes"), list), f"{path}: {body}")
    answer = await hub.caller.get("/datasets/catalog/changes", cursor="another-life.7")
    expect_problem(answer, 410, "cursor-gone", "a cursor of another life")
    answer = await hub.caller.get("/datasets/nonsense/manifest")
    expect_problem(answer, 404, "not-found", "an unknown data set")
    return "changes; 410 for a foreign cursor"


async def digests_compare_as_of_the_heads(bench: Bench) -> str:
    """Equal, differs and behind; also at heads older than what was sent since."""
    hub = await bench.new_hub()
    sku = f"DIGEST-{hub.reply.incarnation}"
    await hub.send(*(hub.event(data=hub.moved(sku, qty)) for qty in (3, 4)))
    right = {sku: {"sellable": 7}}
    body = await hub.digest(hub.at(stock=2), right)
    expect(body["status"] == "equal", f"levels as sent: {body}")
    body = await hub.digest(hub.at(stock=1), {sku: {"sellable": 3}})
    expect(body["status"] == "equal", f"levels as of sequence 1: {body}")
    body = await hub.digest(hub.at(stock=2), {sku: {"sellable": 8}})
    named = (body["status"], list(body["differing"]))
    expect(named == ("differs", [digest_bucket(sku)]), f"a wrong level: {body}")
    body = await hub.digest(hub.at(stock=3), right)
    expect(body["status"] == "behind", f"heads ahead of the OMS: {body}")
    return "equal, differs, behind"


async def digest_detail_names_the_difference(bench: Bench) -> str:
    """The SKUs of a bucket that differ, with both sides' quantities."""
    hub = await bench.new_hub()
    sku = f"DETAIL-{hub.reply.incarnation}"
    await hub.send(hub.event(data=hub.moved(sku, 5)))
    rows = [{"sku": sku, "levels": {"sellable": 6, "damaged": 0}}]
    asked = {"heads": hub.at(stock=1), "bucket": digest_bucket(sku), "rows": rows}
    body = expect_status(await hub.caller.post("/digests/detail", asked), 200, "detail")
    expected = [{"sku": sku, "hub": {"sellable": 6}, "oms": {"sellable": 5}}]
    expect(body["differences"] == expected, f"{body}")
    return "hub 6, oms 5"


async def a_bundle_nobody_asked_for_is_refused(bench: Bench) -> str:
    """A piece of a support bundle without its command is 404; one that is damaged 422."""
    hub = await bench.new_hub()
    piece = {
        "command_id": "nobody-asked",
        "file_name": "bundle.zip",
        "sha256": hashlib.sha256(b"bundle").hexdigest(),
        "total_bytes": 6,
        "index": 0,
        "pieces": 1,
        "content": "YnVuZGxl",
    }
    answer = await hub.caller.post("/support-bundles", piece)
    expect_problem(answer, 404, "not-found", "a bundle that nobody asked for")
    answer = await hub.caller.post("/support-bundles", piece | {"total_bytes": 1 << 40})
    expect_problem(answer, 422, "validation", "a bundle beyond the bound")
    return "404 unasked, 422 beyond the bound"
