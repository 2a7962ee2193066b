"""Stripe as a processor: payment intents that are captured by hand, over plain HTTPS.

A charge is an intent made and confirmed in one request, off session, with the payment's id and the
effect's key as metadata.  It is found again by its own id where that is known; else by a search,
whose hits are proof but whose index lags (a minute, more in an outage), and by walking the list of
intents, which doesn't lag, back to ten minutes before the payment was first presented.  A list
that doesn't end within the bound says nothing: ``unknown``.

Refunds are looked up by their key before they are made, and never exceed what was captured,
whatever the other side allows.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from cloud_link.errors import Transient
from cloud_link.payments.processor import Effect
from cloud_link.payments.stripe_answers import (
    best_of,
    failure_said,
    intent_said,
    metadata,
    refund_said,
)
from cloud_link.transport import HttpReply, HttpRequest, Transport
from hub.domain.payments.declines import DeclineCode
from hub.service.payments.commands import ProcessorSaid

API_VERSION: Final = "2024-06-20"
"""Pinned, so that an account's upgrade changes nothing here."""
PAGE: Final = 100
PAGES_MAX: Final = 20
"""2000 intents at most are walked through for one payment."""
BEFORE_MS: Final = 10 * 60_000
"""The hub's clock and Stripe's differ by less."""
REQUEST_S: Final = 20.0
CALL_S: Final = 60.0
MAX_BYTES: Final = 4 * 1024 * 1024
TWO_DECIMALS: Final = frozenset({"ISK", "UGX"})
"""Currencies without a minor unit (ISO 4217) whose amounts Stripe wants in hundredths all the same
(Stripe's list of zero-decimal currencies and its special cases)."""
Form = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """``said`` is set where there is no good answer; then ``body`` is the error's."""

    body: dict[str, Any]
    said: ProcessorSaid | None = None
    status: int = 0


class StripeProcessor:
    """``url``: Stripe's API or a stand-in; ``key``: secret or restricted, with the rights to read
    and write payment intents and refunds."""

    name = "stripe"
    timeout_s = CALL_S

    def __init__(self, transport: Transport, key: str, url: str = "https://api.stripe.com") -> None:
        self._transport = transport
        self._key = key
        self._root = url.rstrip("/") + "/v1/"

    # The protocol --------------------------------------------------------------------------------

    async def charge(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`.  A token is ``pm_…``, or ``cus_…/pm_…`` for a customer's."""
        return await self._within(self._charge(effect))

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        return await self._within(self._look_up(effect))

    async def capture(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        return await self._within(self._capture(effect))

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        return await self._within(self._reverse(effect))

    async def refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        return await self._within(self._refund(effect))

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        return await self._within(self._look_up_refund(effect))

    async def close(self) -> None:
        """Let connections go."""
        await self._transport.close()

    async def _within(self, call: Any) -> ProcessorSaid:
        try:
            async with asyncio.timeout(CALL_S):
                said: ProcessorSaid = await call
                return said
        except TimeoutError:
            return ProcessorSaid("unknown", f"no answer within {CALL_S:g} s", reached=False)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return ProcessorSaid("unknown", f"an answer of another shape: {type(error).__name__}")

    # Charges -------------------------------------------------------------------------------------

    async def _charge(self, effect: Effect) -> ProcessorSaid:
        token = effect.token.decode("ascii", "replace") if effect.token else ""
        customer, _, method = token.rpartition("/")
        if not method or not method.isprintable():
            return ProcessorSaid("not-sent", "there is no token to charge")
        form = [
            ("amount", str(amount_of(effect))),
            ("currency", effect.currency.lower()),
            ("payment_method", method),
            ("payment_method_types[]", "card"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            ("off_session", "true"),
            ("metadata[payment_id]", effect.payment_id),
            ("metadata[key]", effect.key),
        ]
        if customer:
            form.append(("customer", customer))
        made = await self._post("payment_intents", form, effect.key)
        return made.said or intent_said(made.body)

    async def _look_up(self, effect: Effect) -> ProcessorSaid:
        if effect.psp_ref.startswith("pi_"):
            found = await self._intent(effect.psp_ref)
            if found.said is None:
                said = await self._settled(found.body)
                if said.outcome != "declined" or metadata(found.body).get("key") == effect.key:
                    return said
            elif found.status != 404:
                return _asked_in_vain(found.said)
        intents = await self._intents_of(effect)
        if isinstance(intents, ProcessorSaid):
            return intents
        if not intents:
            return ProcessorSaid("not-found", "no payment intent has this payment's id")
        said = best_of(intents, effect.key)
        if said.outcome == "captured":
            mine = next(one for one in intents if one.get("id") == said.psp_ref)
            return replace(await self._settled(mine), reason=said.reason)
        return said

    async def _settled(self, intent: dict[str, Any]) -> ProcessorSaid:
        """Captured money may have gone back whole."""
        said = intent_said(intent)
        if said.outcome != "captured":
            return said
        refunds = await self._refunds_of(said.psp_ref)
        if isinstance(refunds, ProcessorSaid):
            return refunds
        whole = _given_back(refunds) >= int(intent["amount"])
        return replace(said, outcome="refunded") if whole else said

    async def _intents_of(self, effect: Effect) -> list[dict[str, Any]] | ProcessorSaid:
        listed = await self._listed(effect)
        searched = await self._searched(effect)
        if isinstance(listed, ProcessorSaid):
            return searched or listed
        known = {str(one["id"]): one for one in [*searched, *listed]}
        return list(known.values())

    async def _searched(self, effect: Effect) -> list[dict[str, Any]]:
        """Hits are proof; nothing found is none.  Not offered to every account."""
        query = [("query", f"metadata['payment_id']:'{effect.payment_id}'"), ("limit", str(PAGE))]
        found = await self._get("payment_intents/search", query)
        return [] if found.said is not None else _mine(found.body, effect)

    async def _listed(self, effect: Effect) -> list[dict[str, Any]] | ProcessorSaid:
        since_s = ((effect.first_sent_at_ms or BEFORE_MS) - BEFORE_MS) // 1000
        found: list[dict[str, Any]] = []
        query: Form = [("limit", str(PAGE))]
        for _ in range(PAGES_MAX):
            page = await self._get("payment_intents", query)
            if page.said is not None:
                return _asked_in_vain(page.said)
            rows = page.body["data"]
            found += _mine(page.body, effect)
            if not page.body.get("has_more") or not rows or int(rows[-1]["created"]) < since_s:
                return found
            query = [("limit", str(PAGE)), ("starting_after", str(rows[-1]["id"]))]
        return ProcessorSaid("unknown", f"more than {PAGE * PAGES_MAX} payments since then")

    async def _intent(self, psp_ref: str) -> Answer:
        return await self._get(f"payment_intents/{quote(psp_ref, safe='')}", [])

    async def _ref_of(self, effect: Effect) -> str | ProcessorSaid:
        """The intent's id, found first where it isn't known.  ``ch_…``: a charge without one."""
        if effect.psp_ref:
            return effect.psp_ref
        found = await self._look_up(effect)
        return found.psp_ref or _asked_in_vain(found)

    async def _capture(self, effect: Effect) -> ProcessorSaid:
        ref = await self._ref_of(effect)
        if isinstance(ref, ProcessorSaid):
            return ref
        form = [("amount_to_capture", str(amount_of(effect)))]
        made = await self._post(f"payment_intents/{quote(ref, safe='')}/capture", form, effect.key)
        said = await self._told(made, ref)
        if said.outcome in ("reversed", "declined"):
            why = "the authorisation is gone"
            return replace(said, outcome="declined", reason=said.reason or why)
        # What went back whole was captured once; one that still stands was not taken this time.
        match said.outcome:
            case "refunded":
                return replace(said, outcome="captured")
            case "approved":
                return replace(said, outcome="unknown")
            case _:
                return said

    async def _reverse(self, effect: Effect) -> ProcessorSaid:
        ref = await self._ref_of(effect)
        if isinstance(ref, ProcessorSaid):
            return ref
        made = await self._post(f"payment_intents/{quote(ref, safe='')}/cancel", [], effect.key)
        said = await self._told(made, ref)
        if said.outcome == "declined":  # nothing was held, so nothing is
            return replace(said, outcome="reversed", code=DeclineCode.OTHER)
        return replace(said, outcome="unknown") if said.outcome == "approved" else said

    async def _told(self, made: Answer, ref: str) -> ProcessorSaid:
        """An intent that is past what was asked says so itself."""
        if made.said is None:
            return intent_said(made.body)
        if made.status not in (400, 404, 409):
            return made.said
        found = await self._intent(ref)
        if found.status == 404:
            return ProcessorSaid("not-found", "there is no such payment intent")
        return intent_said(found.body) if found.said is None else replace(made.said)

    # Refunds -------------------------------------------------------------------------------------

    async def _refund(self, effect: Effect) -> ProcessorSaid:
        ref = await self._ref_of(effect)
        if isinstance(ref, ProcessorSaid):
            return _undone(ref)
        refunds = await self._refunds_of(ref)
        if isinstance(refunds, ProcessorSaid):
            return _undone(refunds)
        for one in refunds:
            if metadata(one).get("key") == effect.key:
                return refund_said(one)
        barred = await self._over(effect, ref, refunds)
        if barred is not None:
            return barred
        form = [
            _whose(ref),
            ("amount", str(amount_of(effect))),
            ("metadata[payment_id]", effect.payment_id),
            ("metadata[key]", effect.key),
        ]
        made = await self._post("refunds", form, effect.key)
        if made.said is None:
            return refund_said(made.body)
        gone = made.body.get("code") in ("charge_already_refunded", "charge_disputed")
        return replace(made.said, outcome="declined") if gone else made.said

    async def _over(
        self, effect: Effect, ref: str, refunds: list[dict[str, Any]]
    ) -> ProcessorSaid | None:
        """Our own guard: no more goes back than came in."""
        path = "charges" if ref.startswith("ch_") else "payment_intents"
        found = await self._get(f"{path}/{quote(ref, safe='')}", [])
        if found.said is not None:
            if found.status == 404:
                return ProcessorSaid("declined", "there is no such payment to give back")
            return _undone(found.said)
        taken = found.body.get("status") == "succeeded" and found.body.get("captured") is not False
        captured = int(found.body["amount"]) if taken else 0
        if _given_back(refunds) + amount_of(effect) > captured:
            why = f"{_given_back(refunds)} of {captured} are given back already"
            return ProcessorSaid("declined", why)
        return None

    async def _look_up_refund(self, effect: Effect) -> ProcessorSaid:
        ref = await self._ref_of(effect)
        if isinstance(ref, ProcessorSaid):
            return ref
        refunds = await self._refunds_of(ref)
        if isinstance(refunds, ProcessorSaid):
            return refunds
        mine = [one for one in refunds if metadata(one).get("key") == effect.key]
        if not mine:
            return ProcessorSaid("not-found", "no refund has this key")
        return refund_said(mine[0])

    async def _refunds_of(self, ref: str) -> list[dict[str, Any]] | ProcessorSaid:
        """All refunds of a payment.  Lists don't lag."""
        found = await self._get("refunds", [_whose(ref), ("limit", str(PAGE))])
        if found.said is not None:
            if found.status == 404:
                return ProcessorSaid("not-found", "there is no such payment")
            return _asked_in_vain(found.said)
        if found.body.get("has_more"):
            return ProcessorSaid("unknown", f"more than {PAGE} refunds of one payment")
        return list(found.body["data"])

    # HTTP ----------------------------------------------------------------------------------------

    async def _post(self, path: str, form: Form, key: str) -> Answer:
        headers = self._headers() | {
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        }
        body = urlencode(form).encode()
        return await self._sent(
            HttpRequest("POST", self._root + path, headers, body, REQUEST_S, MAX_BYTES)
        )

    async def _get(self, path: str, query: Form) -> Answer:
        url = self._root + path + (f"?{urlencode(query)}" if query else "")
        return await self._sent(
            HttpRequest("GET", url, self._headers(), None, REQUEST_S, MAX_BYTES)
        )

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Stripe-Version": API_VERSION,
        }

    async def _sent(self, request: HttpRequest) -> Answer:
        try:
            reply = await self._transport.send(request)
        except Transient as error:
            outcome: Any = "not-sent" if error.unsent else "unknown"
            return Answer({}, ProcessorSaid(outcome, str(error)[:200], reached=False))
        try:
            body = json.loads(reply.body)
        except ValueError:
            body = None
        if reply.status < 300 and isinstance(body, dict):
            return Answer(body, status=reply.status)
        error_body = body.get("error") if isinstance(body, dict) else None
        told = error_body if isinstance(error_body, dict) else {}
        if reply.status < 400:
            return Answer(told, ProcessorSaid("unknown", "an answer of another kind"), reply.status)
        return Answer(told, failure_said(reply.status, told, _wait_ms(reply)), reply.status)


def amount_of(effect: Effect) -> int:
    """The amount as Stripe counts it."""
    return effect.amount_minor * (100 if effect.currency in TWO_DECIMALS else 1)


def _wait_ms(reply: HttpReply) -> int:
    text = reply.headers.get("retry-after", "")
    return int(text) * 1000 if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _mine(page: dict[str, Any], effect: Effect) -> list[dict[str, Any]]:
    return [one for one in page["data"] if metadata(one).get("payment_id") == effect.payment_id]


def _whose(ref: str) -> tuple[str, str]:
    return ("charge" if ref.startswith("ch_") else "payment_intent"), ref


def _given_back(refunds: list[dict[str, Any]]) -> int:
    return sum(
        int(one["amount"]) for one in refunds if one.get("status") not in ("failed", "canceled")
    )


def _asked_in_vain(said: ProcessorSaid) -> ProcessorSaid:
    """A question that wasn't answered says nothing of what was asked after."""
    return said if said.outcome == "not-found" else replace(said, outcome="unknown")


def _undone(said: ProcessorSaid) -> ProcessorSaid:
    """The questions before a refund failed: that itself was not sent."""
    if said.outcome == "not-found":
        return replace(said, outcome="declined")
    return replace(said, outcome="not-sent")
