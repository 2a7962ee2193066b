"""Comparing stock with the cloud by digests.  Differences are reported, never corrected here."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from cloud_link.errors import OmsError, SessionOver
from cloud_link.http import OmsClient, as_json
from cloud_link.pacing import Pacer, Sleep, first_of
from hub.contract.digests import bucket_digests, digest_bucket
from hub.contract.oms_digests import (
    DigestDetailReply,
    DigestDetailRequest,
    DigestReply,
    DigestRequest,
    SkuDifference,
    SkuLevels,
)
from hub.contract.oms_envelope import Heads
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.cloud import DriftFound, RecordDrift, StockLevels, stock_levels

log = logging.getLogger(__name__)

BEHIND_TRIES = 5
BEHIND_PAUSE_S = 2.0
BUCKETS = 256
BUCKETS_LOOKED_INTO = 64
FIRST_AFTER_S = 30.0

Finding = Literal["equal", "differs", "behind"]


class AntiEntropy:
    """One link's comparisons."""

    def __init__(
        self, gate: Gate, client: OmsClient, pacer: Pacer, every_s: float, *, sleep: Sleep
    ) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self._every_s = every_s
        self._sleep = sleep
        self._asked = asyncio.Event()
        self.last: Finding | None = None
        self.problem = ""

    def ask(self) -> None:
        """Compare now."""
        self._asked.set()

    async def run(self) -> None:
        """Compare every so often and when asked, until cancelled."""
        wait_s = min(FIRST_AFTER_S, self._every_s)
        while True:
            await first_of(self._asked, wait_s * self._pacer.uniform(0.9, 1.1), self._sleep)
            self._asked.clear()
            try:
                self.last = await self.check()
                self.problem = ""
            except SessionOver:
                raise
            except OmsError as error:
                self.problem = str(error)
                log.warning("stock could not be compared with the cloud: %s", error)
            wait_s = self._every_s

    async def check(self) -> Finding:
        """One comparison; its result is recorded.  ``behind``: the cloud hasn't got all events."""
        levels: StockLevels = await self._gate.read(stock_levels)
        for attempt in range(BEHIND_TRIES):
            # The cloud answers as of these heads, so they need not be the newest.
            finding = await self._compare(levels)
            if finding != "behind":
                return finding
            await self._sleep(BEHIND_PAUSE_S * (attempt + 1))
        return "behind"

    async def _compare(self, levels: StockLevels) -> Finding:
        request = await asyncio.to_thread(
            lambda: as_json(
                DigestRequest(heads=levels.heads, buckets=bucket_digests(levels.levels))
            )
        )
        reply = await self._pacer.call(
            lambda _: self._client.post("/digests", request, DigestReply)
        )
        match reply.status:
            case "behind":
                return "behind"
            case "equal":
                await self._gate.internal(CLOUD, RecordDrift(()))
                return "equal"
            case "differs":
                return await self._look_into(levels, reply.differing)

    async def _look_into(self, levels: StockLevels, buckets: tuple[int, ...]) -> Finding:
        found: list[DriftFound] = []
        known = [bucket for bucket in buckets if 0 <= bucket < BUCKETS]
        for bucket in known[:BUCKETS_LOOKED_INTO]:
            differences = await self._detail(levels, bucket)
            if differences is None:
                return "behind"
            found += [DriftFound(one.sku, one.hub, one.oms) for one in differences]
        if not found:  # it was equal bucket by bucket: nothing to report
            await self._gate.internal(CLOUD, RecordDrift(()))
            return "equal"
        await self._gate.internal(CLOUD, RecordDrift(tuple(found)))
        return "differs"

    async def _detail(self, levels: StockLevels, bucket: int) -> tuple[SkuDifference, ...] | None:
        heads: Heads = levels.heads
        request = await asyncio.to_thread(
            lambda: as_json(
                DigestDetailRequest(
                    heads=heads,
                    bucket=bucket,
                    rows=tuple(
                        SkuLevels.model_validate(
                            {"sku": sku, "levels": {k: v for k, v in row.items() if v}}
                        )
                        for sku, row in levels.levels
                        if digest_bucket(sku) == bucket
                    ),
                )
            )
        )
        reply = await self._pacer.call(
            lambda _: self._client.post("/digests/detail", request, DigestDetailReply)
        )
        return reply.differences if reply.status == "compared" else None
