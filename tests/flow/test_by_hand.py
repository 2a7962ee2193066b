"""A stranger with nothing but curl, openssl and mosquitto's tools follows the written guide.

The blocks of docs/selling-by-hand.md are run as they stand, against a hub and a cloud that are
processes of their own.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud_link.sandbox import demo
from devices.kit import PairingLink
from hub.clock import SystemRandomness
from scripts.rig import Ports, ShopRig

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "selling-by-hand.md"
PATIENCE_S = 120.0

SAME_ANSWER = """
ask "$KEY" sale/commit "$BODY"
python3 -c 'import json, sys
first, again = (json.load(open(name)) for name in ("first.json", "reply.json"))
sys.exit(first["result"] != again["result"])'
printf '%s' "$SALE" >sale-id
"""
OLD_MQTT = """
mosquitto_rr -V 311 -h $BROKER -p $MTLS --cafile ca.pem --cert device.pem --key key.pem -i $ID \
    -q 1 -W 10 -t "$DEV/req/sale/get" -e "$DEV/rep" \
    -m "{\\"sale_id\\": \\"$SALE\\", \\"correlation\\": \\"my-own-word\\"}" >old.json
[ "$(field old.json correlation)" = my-own-word ]
[ "$(field old.json result state)" = completed ]
"""


def written_blocks() -> list[str]:
    """The shell blocks of the guide, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def followed() -> str:
    """The guide as one script, with a look at the answer of the repeated sale."""
    blocks = written_blocks()
    (first,) = (n for n, text in enumerate(blocks) if "RECEIPT=" in text)
    blocks.insert(first + 1, "cp reply.json first.json\n" + SAME_ANSWER + OLD_MQTT)
    return "set -euo pipefail\n" + "\n".join(blocks)


@pytest.fixture
async def rig(tmp_state: Path) -> AsyncIterator[ShopRig]:
    """A hub with the demo shop's catalogue."""
    shop = ShopRig(
        tmp_state,
        "demo",
        Ports.choose(SystemRandomness()),
        oms_arguments=("--seed-demo", "--skus", "20"),
    )
    async with shop:
        await shop.start_oms()
        await shop.start_hub()
        yield shop


async def has_catalogue(rig: ShopRig) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while "prices" not in (await rig.admin.status())["cloud"].get("datasets", {}):
            await asyncio.sleep(0.05)


def sales_at_the_hub(rig: ShopRig) -> list[str]:
    with closing(sqlite3.connect(f"{rig.hub_database.as_uri()}?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute("SELECT sale_id FROM sales")]


async def test_a_stranger_pairs_sells_and_repeats_by_following_the_guide(
    rig: ShopRig, tmp_path: Path
) -> None:
    await has_catalogue(rig)
    link = PairingLink.parse(await rig.admin.open_pairing("By hand"))
    staff_id, _, _, pin = demo.DEMO_STAFF[-1]
    product = next(row for row, _ in demo.products(20) if row["scale"] == 0)
    script = await asyncio.create_subprocess_exec(
        *("bash", "-c", followed()),
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(link.port),
            "FP": link.fingerprint,
            "CODE": link.code,
            "STAFF": staff_id,
            "PIN": pin,
            "PRODUCT": product["barcodes"][0],
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await script.communicate()
    finally:
        if script.returncode is None:
            script.kill()
            await script.wait()
    assert script.returncode == 0, said.decode()[-3000:]
    assert sales_at_the_hub(rig) == [(tmp_path / "sale-id").read_text()], "sold once, not thrice"
