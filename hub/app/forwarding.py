"""The connection to the processor that the settings name, and the sender of payment links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloud_link.link import CloudLink
from cloud_link.payments.forwarder import Forwarder, Tempo, Unseal
from cloud_link.payments.issuer import OmsIssuer
from cloud_link.payments.links import LinkOffice, carry_link
from cloud_link.payments.oms import OmsProcessor
from cloud_link.payments.processor import Processor
from cloud_link.payments.stripe import StripeProcessor
from cloud_link.transport import AiohttpTransport, TlsFiles
from hub.config import Settings
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import Hand
from hub.security.vault import PaymentVault
from hub.service.gate import Gate
from hub.service.payments.owing import CONTACT

CONNECT_S: Final = 10.0


class NoVault(RuntimeError):
    """The vault's file can't be opened: what is sealed waits."""


def make_forwarder(
    settings: Settings,
    gate: Gate,
    vault: PaymentVault | None,
    link: CloudLink,
    tempo: Tempo,
    recovered: Callable[[], bool],
) -> Forwarder | None:
    """None: the terminals forward by themselves, or this hub is for training.

    A drill cuts it off with the link to the cloud, whichever way it goes.
    """
    processor = None if settings.store.training else _processor(settings, link)
    if processor is None:
        return None

    through_oms = settings.payments.processor == "oms"

    def ready() -> bool:
        way = link.client is not None if through_oms else not link.superseded
        return way and recovered()

    return Forwarder(
        gate,
        processor,
        _unsealing(vault),
        tempo,
        ready=ready,
        held=lambda: link.held,
    )


def make_link_sender(
    settings: Settings,
    gate: Gate,
    vault: PaymentVault | None,
    link: CloudLink,
    tempo: Tempo,
    recovered: Callable[[], bool],
) -> Forwarder | None:
    """What brings payment links to the OMS; None: there is none, or this hub is for training."""
    if settings.cloud.url is None or settings.store.training:
        return None

    return Forwarder(
        gate,
        LinkOffice(lambda: link.client, settings.cloud.request_timeout_s),
        _unsealing(vault, CONTACT),
        tempo,
        ready=lambda: link.client is not None and recovered(),
        held=lambda: link.held,
        parallel=1,
        hand=Hand.LINKS,
        carry=carry_link,
    )


def make_issuer_forwarder(
    settings: Settings,
    gate: Gate,
    vault: PaymentVault | None,
    link: CloudLink,
    tempo: Tempo,
    recovered: Callable[[], bool],
) -> Forwarder | None:
    """The way to whoever keeps gift cards; None: there is no cloud, or this hub is for training."""
    if not has_issuer(settings):
        return None

    return Forwarder(
        gate,
        OmsIssuer(lambda: link.client, settings.cloud.request_timeout_s),
        _unsealing(vault),
        tempo,
        ready=lambda: link.client is not None and recovered(),
        held=lambda: link.held,
        hand=Hand.ISSUER,
    )


def has_issuer(settings: Settings) -> bool:
    """Whether there is a cloud that may keep gift cards."""
    return settings.cloud.url is not None and not settings.store.training


def _unsealing(vault: PaymentVault | None, what: str = "token") -> Unseal:
    """What opens a payment's secrets of this kind; :class:`NoVault` where nothing can."""

    def unseal(payment_id: str, sealed: SealedToken) -> bytes:
        if vault is None:
            raise NoVault("the vault's file can't be opened: the log of the start says why")
        return vault.unseal(payment_id, sealed, what)

    return unseal


def _processor(settings: Settings, link: CloudLink) -> Processor | None:
    payments = settings.payments
    match payments.processor:
        case "none":
            return None
        case "oms":
            return OmsProcessor(lambda: link.client, settings.cloud.request_timeout_s)
        case "stripe":
            assert payments.stripe_key is not None
            transport = AiohttpTransport(TlsFiles(), CONNECT_S)
            return StripeProcessor(
                transport, payments.stripe_key.get_secret_value(), payments.stripe_url
            )
