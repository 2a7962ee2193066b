"""The adapters of this project, and those of others, ready to be checked."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from cloud_link.http import OmsClient, Session, as_json
from cloud_link.payments.conformance.bench import Bench, Cards
from cloud_link.payments.oms import OmsProcessor
from cloud_link.payments.processor import Processor
from cloud_link.payments.stripe import StripeProcessor
from cloud_link.transport import AiohttpTransport, TlsFiles
from hub.clock import Clock, Ids, Randomness
from hub.config.models import Cloud
from hub.contract.oms import Hello, HelloReply
from hub.domain.payments.declines import DeclineCode

CONNECT_S: Final = 5.0
REQUEST_S: Final = 10
OMS_CARDS: Final = Cards(
    b"tok-good",
    {
        b"tok-decline-insufficient-funds": DeclineCode.INSUFFICIENT_FUNDS,
        b"tok-decline-stolen-or-lost": DeclineCode.STOLEN_OR_LOST,
        b"tok-decline-expired-card": DeclineCode.EXPIRED_CARD,
    },
    b"tok-late",
)
"""As the sandbox OMS understands them."""
STRIPE_CARDS: Final = Cards(
    b"pm_card_visa",
    {
        b"pm_card_visa_chargeDeclined": DeclineCode.DO_NOT_HONOUR,
        b"pm_card_visa_chargeDeclinedInsufficientFunds": DeclineCode.INSUFFICIENT_FUNDS,
        b"pm_card_visa_chargeDeclinedLostCard": DeclineCode.STOLEN_OR_LOST,
        b"pm_card_chargeDeclinedExpiredCard": DeclineCode.EXPIRED_CARD,
    },
)
"""Stripe's test payment methods."""
ELSEWHERE: Final = Cards(b"good")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says.  ``secret``: access token or key."""

    adapter: str
    url: str
    secret: str
    store: str = ""
    ca: Path | None = None
    currency: str = "EUR"
    keys: bool = True
    cards: Cards | None = None


@asynccontextmanager
async def bench_of(
    given: Given, clock: Clock, ids: Ids, randomness: Randomness
) -> AsyncIterator[Bench]:
    """Errors: ValueError with a text for people, OmsError."""
    make, cards = await _maker(given, clock, ids, randomness)
    processor = await make(given.url)
    try:
        yield Bench(
            processor,
            given.cards or cards,
            ids,
            clock,
            asyncio.sleep,
            currency=given.currency,
            keys=given.keys,
            url=given.url,
            elsewhere=make,
        )
    finally:
        await processor.close()


Make = Callable[[str], Awaitable[Processor]]


async def _maker(
    given: Given, clock: Clock, ids: Ids, randomness: Randomness
) -> tuple[Make, Cards]:
    match given.adapter:
        case "oms":
            return await _oms(given, clock, ids, randomness), OMS_CARDS
        case "stripe":
            return _stripe(given), STRIPE_CARDS
        case name if ":" in name:
            return _foreign(given), ELSEWHERE
        case name:
            raise ValueError(f"{name}: an adapter is oms, stripe or package.module:function")


async def _oms(given: Given, clock: Clock, ids: Ids, randomness: Randomness) -> Make:
    store = given.store or f"oms-check-{randomness.token_bytes(6).hex()}"
    opened: list[Session] = []

    def client(url: str) -> OmsClient:
        return OmsClient(
            Cloud(url=url, token=SecretStr(given.secret), request_timeout_s=REQUEST_S),
            store,
            AiohttpTransport(TlsFiles(ca=given.ca), CONNECT_S),
            clock=clock,
            ids=ids,
            on_server_time=lambda _ms: None,
        )

    async def make(url: str) -> Processor:
        one = client(url)
        if not opened:
            opened.append(await _greeted(one, ids))
        one.session = opened[0]
        return _OwnClient(one)

    return make


async def _greeted(client: OmsClient, ids: Ids) -> Session:
    hello = Hello(
        hub_id="conformance",
        nonce=ids.uuid7(),
        machine_id_hash="a" * 32,
        incarnation=0,
        reason="new",
    )
    reply = await client.post("/hub-sessions", as_json(hello), HelloReply, hello=True)
    return Session(reply.incarnation, reply.session_token, reply.oms_incarnation)


class _OwnClient(OmsProcessor):
    """Its client is nobody else's."""

    def __init__(self, client: OmsClient) -> None:
        super().__init__(lambda: client, REQUEST_S)
        self._own = client

    async def close(self) -> None:
        await self._own.close()


def _stripe(given: Given) -> Make:
    if not given.secret.startswith(("sk_test_", "rk_test_")):
        raise ValueError("only a test key of Stripe (sk_test_… or rk_test_…) may be used here")

    async def make(url: str) -> Processor:
        transport = AiohttpTransport(TlsFiles(ca=given.ca), CONNECT_S)
        return StripeProcessor(transport, given.secret, url)

    return make


def _foreign(given: Given) -> Make:
    """``package.module:function``: called with the URL and the secret, it gives an adapter."""
    module, _, name = given.adapter.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if found is None:
        raise ValueError(f"{module} has no {name}")

    async def make(url: str) -> Processor:
        made = found(url, given.secret)
        processor: Processor = await made if inspect.isawaitable(made) else made
        return processor

    return make
