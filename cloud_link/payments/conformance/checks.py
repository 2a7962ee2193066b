"""The checks.  Each is a coroutine that says in a few words what was seen, or raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from cloud_link.payments.carrying import carry_out
from cloud_link.payments.conformance.bench import (
    Bench,
    Skipped,
    expect,
    expect_one_of,
    keyed,
    need,
)
from cloud_link.payments.conformance.relay import relay_to
from cloud_link.payments.processor import Effect
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased

Check = Callable[[Bench], Awaitable[str]]
LATE_TRIES: Final = 20


def _again(effect: Effect) -> Leased:
    """The same charge as the hub repeats it after a doubt."""
    return Leased(
        kind=WorkKind.CHARGE,
        payment_id=effect.payment_id,
        fence=2,
        key=effect.key,
        amount_minor=effect.amount_minor,
        currency=effect.currency,
        terminal_id="t",
        psp_ref="",
        terminal_ref="",
        first_sent_at_ms=effect.first_sent_at_ms,
    )


async def a_payment_never_seen_is_not_found(bench: Bench) -> str:
    """Only that allows the hub to present it again."""
    said = expect(await bench.processor.look_up(bench.effect()), "not-found", "a look-up")
    return said.reason


async def a_good_card_is_approved_and_not_captured(bench: Bench) -> str:
    """Also by the look-up, with and without its reference."""
    effect = bench.effect()
    said = expect(await bench.processor.charge(effect), "approved", "a charge")
    need(bool(said.psp_ref), "an approval has no psp_ref")
    for asked in (effect, replace(effect, psp_ref=said.psp_ref)):
        found = expect(await bench.processor.look_up(asked), "approved", "the look-up")
        need(found.psp_ref == said.psp_ref, f"looked up {found.psp_ref}, not {said.psp_ref}")
    return said.psp_ref


async def a_charge_repeated_under_its_key_is_one(bench: Bench) -> str:
    """Where the other side knows keys."""
    if not bench.keys:
        raise Skipped("the other side doesn't know idempotency keys")
    effect = bench.effect()
    refs = {expect(await bench.processor.charge(effect), "approved", "a charge").psp_ref}
    refs |= {expect(await bench.processor.charge(effect), "approved", "its repeat").psp_ref}
    need(len(refs) == 1, f"two charges: {sorted(refs)}")
    return refs.pop()


async def a_repeat_after_a_doubt_is_looked_up_first(bench: Bench) -> str:
    """So it is one charge even where keys are not known, or forgotten."""
    effect = bench.effect()
    first = expect(await bench.processor.charge(effect), "approved", "a charge")
    second = await carry_out(bench.processor, _again(effect), effect.token)
    expect(second, "approved", "its repeat")
    need(second.psp_ref == first.psp_ref, f"charged again: {first.psp_ref}, {second.psp_ref}")
    return first.psp_ref


async def a_key_of_something_else_is_no_approval(bench: Bench) -> str:
    """The same key for another amount: nobody knows, or nothing was sent; never approved."""
    if not bench.keys:
        raise Skipped("the other side doesn't know idempotency keys")
    effect = bench.effect()
    expect(await bench.processor.charge(effect), "approved", "a charge")
    said = await bench.processor.charge(replace(effect, amount_minor=effect.amount_minor + 1))
    if said.outcome == "approved":
        found = await bench.processor.look_up(effect)
        need(said.psp_ref == found.psp_ref, "another charge was made under the same key")
        return "answered with how it stands"
    return expect_one_of(said, {"unknown", "not-sent"}, "the key for another amount").outcome


async def declines_say_why(bench: Bench) -> str:
    """Hard and soft ones; the look-up says the same; nothing of the token is in the reason."""
    if not bench.cards.declined:
        raise Skipped("no card is declined here")
    for token, code in bench.cards.declined.items():
        effect = bench.effect(token=token)
        said = expect(await bench.processor.charge(effect), "declined", f"a card of {code}")
        need(said.code == code, f"expected {code}, got {said.code} ({said.reason})")
        need(token.decode() not in said.reason, "the reason tells the token")
        found = await bench.processor.look_up(effect)
        expect_one_of(found, {"declined", "not-found"}, "the look-up of a decline")
    return ", ".join(sorted(bench.cards.declined.values()))


async def a_declined_payment_may_be_charged_again(bench: Bench) -> str:
    """Under another key; and the earlier decline isn't taken for the answer to that one."""
    if not bench.cards.declined:
        raise Skipped("no card is declined here")
    effect = bench.effect(token=next(iter(bench.cards.declined)))
    expect(await bench.processor.charge(effect), "declined", "a bad card")
    again = replace(effect, key=f"{effect.payment_id}.2", token=bench.cards.good)
    expect(await bench.processor.look_up(again), "not-found", "the look-up of the second try")
    said = expect(await bench.processor.charge(again), "approved", "the second try")
    expect(await bench.processor.look_up(again), "approved", "the look-up")
    return said.psp_ref


async def a_late_outcome_is_found(bench: Bench) -> str:
    """Acked at first; the look-up has it in the end."""
    if bench.cards.late is None:
        raise Skipped("nothing is late here")
    effect = bench.effect(token=bench.cards.late)
    expect(await bench.processor.charge(effect), "acked", "a late one")
    for _ in range(LATE_TRIES):
        said = await bench.processor.look_up(effect)
        if said.outcome != "acked":
            return expect_one_of(said, {"approved", "captured"}, "in the end").outcome
        await bench.sleep(0.5)
    raise Skipped("its outcome didn't come in time")


async def a_capture_is_done_once(bench: Bench) -> str:
    """A repeat, under the same key or another one, says captured, and so does the look-up."""
    effect = await bench.captured()
    for name in ("capture", "capture2"):
        expect(await bench.processor.capture(keyed(effect, name)), "captured", f"again, as {name}")
    expect(await bench.processor.look_up(effect), "captured", "the look-up")
    return effect.psp_ref


async def without_a_reference_it_is_found_by_its_id(bench: Bench) -> str:
    """The answer to the charge was lost, so the hub never learned the reference."""
    effect = await bench.approved()
    said = await bench.processor.capture(keyed(replace(effect, psp_ref=""), "capture"))
    expect(said, "captured", "a capture without psp_ref")
    return effect.psp_ref


async def what_is_let_go_can_not_be_taken(bench: Bench) -> str:
    """Reversed, again reversed, and no capture after it."""
    effect = await bench.approved()
    for _ in range(2):
        expect(await bench.processor.reverse(keyed(effect, "reversal")), "reversed", "a reversal")
    expect(await bench.processor.look_up(effect), "reversed", "the look-up")
    said = await bench.processor.capture(keyed(effect, "capture"))
    return expect(said, "declined", "a capture of what was let go").reason


async def what_is_captured_can_not_be_let_go(bench: Bench) -> str:
    """It says captured, so that the hub gives it back."""
    effect = await bench.captured()
    expect(await bench.processor.reverse(keyed(effect, "reversal")), "captured", "too late")
    expect(await bench.processor.look_up(effect), "captured", "the look-up")
    return effect.psp_ref


async def refunds_are_done_once_and_never_exceed(bench: Bench) -> str:
    """Parts, a repeat of one, more than is left, the rest; then it is refunded."""
    effect = await bench.captured(1000)
    part = keyed(effect, "r1", 400)
    expect(await bench.processor.look_up_refund(part), "not-found", "a refund not made yet")
    first = expect(await bench.processor.refund(part), "refunded", "a part")
    found = expect(await bench.processor.look_up_refund(part), "refunded", "its look-up")
    need(found.psp_ref == first.psp_ref, f"{found.psp_ref}, not {first.psp_ref}")
    again = expect(await bench.processor.refund(part), "refunded", "its repeat")
    need(again.psp_ref == first.psp_ref, "given back twice")
    over = await bench.processor.refund(keyed(effect, "r2", 700))
    expect(over, "declined", "more than is left")
    expect(await bench.processor.refund(keyed(effect, "r3", 600)), "refunded", "the rest")
    expect(await bench.processor.look_up(effect), "refunded", "given back whole")
    expect(await bench.processor.refund(keyed(effect, "r4", 1)), "declined", "beyond the whole")
    return "400 + 600 of 1000"


async def what_is_not_captured_is_not_given_back(bench: Bench) -> str:
    """Refunds are of captured money only."""
    effect = await bench.approved()
    said = await bench.processor.refund(keyed(effect, "r1", 100))
    expect_one_of(said, {"declined", "not-sent"}, "a refund of what isn't captured")
    expect(await bench.processor.look_up(effect), "approved", "the look-up")
    return said.outcome


async def no_way_to_it_is_not_sent(bench: Bench) -> str:
    """A refused connection is proof that nothing left; a look-up then knows nothing."""
    if bench.elsewhere is None:
        raise Skipped("the adapter's address can't be changed")
    adapter = await bench.elsewhere("http://127.0.0.1:9")
    try:
        expect(await adapter.charge(bench.effect()), "not-sent", "a charge")
        said = await adapter.look_up(bench.effect())
        expect(said, "unknown", "a look-up")
        need(not said.reached, "a processor that wasn't there is said to have been reached")
    finally:
        await adapter.close()
    return "not-sent; unknown"


async def a_lost_answer_is_unknown_and_found_later(bench: Bench) -> str:
    """The request arrived: nobody may take that for not sent, or for declined."""
    if bench.elsewhere is None or not bench.url.startswith("http:"):
        raise Skipped("only over plain http")
    seen = []
    async with relay_to(bench.url) as (relay, url):
        adapter = await bench.elsewhere(url)
        try:
            for mode in ("lose", "garble"):
                effect = bench.effect()
                relay.mode = mode
                expect(await adapter.charge(effect), "unknown", f"the answer: {mode}")
                need(relay.lost > 0, "the adapter doesn't use the address that it was given")
                relay.mode = "pass"
                said = await carry_out(adapter, _again(effect), effect.token)
                expect(said, "approved", "what the hub does then")
                found = await bench.processor.look_up(effect)
                need(found.psp_ref == said.psp_ref, "charged twice")
                seen.append(said.psp_ref)
        finally:
            await adapter.close()
    return ", ".join(seen)


CHECKS: tuple[Check, ...] = (
    a_payment_never_seen_is_not_found,
    a_good_card_is_approved_and_not_captured,
    a_charge_repeated_under_its_key_is_one,
    a_repeat_after_a_doubt_is_looked_up_first,
    a_key_of_something_else_is_no_approval,
    declines_say_why,
    a_declined_payment_may_be_charged_again,
    a_late_outcome_is_found,
    a_capture_is_done_once,
    without_a_reference_it_is_found_by_its_id,
    what_is_let_go_can_not_be_taken,
    what_is_captured_can_not_be_let_go,
    refunds_are_done_once_and_never_exceed,
    what_is_not_captured_is_not_given_back,
    no_way_to_it_is_not_sent,
    a_lost_answer_is_unknown_and_found_later,
)
