"""Every course that messages about one card can take: delivered any number of times, in any order
or never, through voids, recalls and a hub put back from a copy.  Never is more spent of a card than
there is on it, and mutants of the rules are found out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from hub.domain.payments import value
from hub.domain.payments.value import Allotment

GRANTED_MAX = 2
"""In one epoch: what was given back can be granted again."""
STATES_MAX = 100_000

Message = tuple[str, int, int] | tuple[str, int, int, int]
"""``allotted`` epoch, granted, recalled; ``returned`` epoch, so much; ``capture`` number, epoch."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The hub's rules, and one of the issuer's; a mutant has another of one of them."""

    told: Callable[[Allotment, int, int, int], Allotment] = value.told
    given_back: Callable[[Allotment, int | None], Allotment] = value.given_back
    may_spend: Callable[[Allotment, int, int | None], bool] = value.may_spend
    lets_go_unasked: bool = False
    frees_unasked: bool = False
    meets_in_the_old_epoch: bool = False
    value: int = 2
    payments: int = 2


@dataclass(frozen=True, slots=True)
class Hub:
    """``paid``: (number, epoch, whether its capture may have been sent)."""

    at: Allotment = field(default_factory=lambda: Allotment(1))
    present: int | None = 1
    paid: frozenset[tuple[int, int, bool]] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """``truth``: what was really handed over for it, by payment's number: its epoch; also by a hub
    that was lost since.  ``sets``: (epoch, granted, recalled, returned) at the issuer."""

    hub: Hub = Hub()
    copy: Hub | None = None
    copies: int = 0
    epoch: int = 1
    value: int = 2
    free: int = 2
    sets: tuple[tuple[int, int, int, int], ...] = ((1, 0, 0, 0),)
    taken: frozenset[tuple[int, int]] = frozenset()
    released: frozenset[int] = frozenset()
    truth: frozenset[tuple[int, int]] = frozenset()
    begun: int = 0
    messages: frozenset[Message] = field(default_factory=frozenset)


def wrong(world: World) -> str:
    """What must never be; empty: it isn't."""
    aside = sum(granted - returned for _, granted, _, returned in world.sets)
    if world.free < 0 or world.free + aside != world.value:
        return f"value came from nowhere: {world}"
    for epoch, granted, _, returned in world.sets:
        spent = sum(1 for _, of in world.truth if of == epoch)
        if spent > granted - returned:
            return f"{spent} spent of {granted - returned} in epoch {epoch}"
    return ""


def after(world: World, rules: Rules) -> Iterator[World]:
    """Whatever may happen next."""
    yield from _issuer_acts(world, rules)
    for message in world.messages:
        yield from _arrives(world, rules, message)
    yield from _hub_acts(world, rules)
    yield from _is_put_back(world, rules)


def _set(world: World, epoch: int, **changed: int) -> World:
    names = ("epoch", "granted", "recalled", "returned")
    sets = tuple(
        tuple((dict(zip(names, one, strict=True)) | changed).values()) if one[0] == epoch else one
        for one in world.sets
    )
    return replace(world, sets=sets)  # type: ignore[arg-type]


def _issuer_acts(world: World, rules: Rules) -> Iterator[World]:
    epoch, granted, recalled, returned = world.sets[-1]
    if world.free and granted < GRANTED_MAX:
        now: Message = ("allotted", epoch, granted + 1, recalled)
        more = replace(world, free=world.free - 1, messages=world.messages | {now})
        yield _set(more, epoch, granted=granted + 1)
    if recalled < granted:
        now = ("allotted", epoch, granted, granted)
        wanted = _set(world, epoch, recalled=granted)
        if rules.frees_unasked:
            wanted = _set(wanted, epoch, returned=granted)
            wanted = replace(wanted, free=world.free + granted - returned)
        yield replace(wanted, messages=world.messages | {now})


def _arrives(world: World, rules: Rules, message: Message) -> Iterator[World]:
    match message:
        case ("allotted", epoch, granted, recalled):
            at = rules.told(world.hub.at, epoch, granted, recalled)
            yield _settled(world, rules, at, world.hub.paid)
        case ("returned", epoch, minor):
            (_, granted, _, returned) = next(one for one in world.sets if one[0] == epoch)
            if minor > returned:
                free = world.free + minor - returned
                yield _set(replace(world, free=free), epoch, returned=minor)
        case ("capture", number, epoch) if number not in world.released:
            yield replace(world, taken=world.taken | {(number, epoch)})


def _settled(
    world: World, rules: Rules, at: Allotment, paid: frozenset[tuple[int, int, bool]]
) -> World:
    back = rules.given_back(at, world.hub.present)
    told: Message = ("returned", back.epoch, back.returned_minor)
    messages = world.messages | ({told} if back.returned_minor else frozenset())
    return replace(world, hub=replace(world.hub, at=back, paid=paid), messages=messages)


def _hub_acts(world: World, rules: Rules) -> Iterator[World]:
    hub = world.hub
    if world.begun < rules.payments and rules.may_spend(hub.at, 1, hub.present):
        number, epoch = world.begun, hub.at.epoch
        at = replace(hub.at, spent_minor=hub.at.spent_minor + 1)
        paid = hub.paid | {(number, epoch, False)}
        truth = world.truth | {(number, epoch)}
        yield replace(world, hub=replace(hub, at=at, paid=paid), truth=truth, begun=world.begun + 1)
    for one in hub.paid:
        number, epoch, sent = one
        if not sent:
            paid = hub.paid - {one} | {(number, epoch, True)}
            messages: frozenset[Message] = world.messages | {("capture", number, epoch)}
            yield replace(world, hub=replace(hub, paid=paid), messages=messages)
        yield from _voided(world, rules, one)


def _voided(world: World, rules: Rules, one: tuple[int, int, bool]) -> Iterator[World]:
    """What may have been sent the issuer is asked about first: it has taken it, or never will."""
    number, epoch, sent = one
    asked = sent and not rules.lets_go_unasked
    if asked and (number, epoch) in world.taken:
        return
    if asked:
        world = replace(world, released=world.released | {number})
    if (number, epoch) not in world.taken:
        world = replace(world, truth=world.truth - {(number, epoch)})
    paid = world.hub.paid - {one}
    yield _settled(world, rules, value.let_go(world.hub.at, 1, epoch), paid)


def _is_put_back(world: World, rules: Rules) -> Iterator[World]:
    """A copy is made once; the hub is put back from it once, and greets the cloud."""
    hub = world.hub
    if world.copy is None and not world.copies:
        doubted = frozenset((number, epoch, True) for number, epoch, _ in hub.paid)
        yield replace(world, copy=replace(hub, paid=doubted, present=None), copies=1)
    if world.copy is not None:
        old = world.hub.present
        back = world.copy
        if rules.meets_in_the_old_epoch:
            yield replace(world, hub=replace(back, present=old), copy=None)
            return
        yield replace(world, hub=back, copy=None)
    if hub.present is None:
        epoch = world.epoch + 1
        sets = (*world.sets, (epoch, 0, 0, 0))
        yield replace(world, hub=replace(hub, present=epoch), epoch=epoch, sets=sets)


def explore(rules: Rules) -> tuple[int, str]:
    """How many states were seen, and what was wrong with the first that was."""
    first = World(value=rules.value, free=rules.value)
    seen, waiting = {first}, deque([first])
    while waiting and len(seen) < STATES_MAX:
        for found in after(waiting.popleft(), rules):
            if found in seen:
                continue
            if why := wrong(found):
                return len(seen), why
            seen.add(found)
            waiting.append(found)
    return len(seen), ""


@pytest.mark.parametrize(("minor", "payments"), [(2, 1), (1, 2)])
def test_no_course_spends_more_than_there_is(minor: int, payments: int) -> None:
    """All there are; of two and two there are 29,647 (4.5 s), and none of them does either."""
    seen, why = explore(Rules(value=minor, payments=payments))
    assert not why
    assert 4_000 < seen < STATES_MAX


def _adds_up(at: Allotment, epoch: int, granted: int, recalled: int) -> Allotment:
    if epoch != at.epoch:
        return value.told(at, epoch, granted, recalled)
    return replace(at, granted_minor=at.granted_minor + granted, recalled_minor=recalled)


def _gives_back_what_is_spent(at: Allotment, present: int | None) -> Allotment:
    returned = min(at.recalled_minor, at.granted_minor)
    return replace(at, returned_minor=returned) if at.epoch == present else at


def _gives_back_in_any_epoch(at: Allotment, _present: int | None) -> Allotment:
    return value.given_back(at, at.epoch)


def _spends_in_any_epoch(at: Allotment, amount: int, _present: int | None) -> bool:
    return value.may_spend(at, amount, at.epoch)


def _spends_what_is_granted(at: Allotment, amount: int, present: int | None) -> bool:
    return at.epoch == present and at.granted_minor - at.spent_minor >= amount


@pytest.mark.parametrize(
    "mutant",
    [
        Rules(told=_adds_up),
        Rules(given_back=_gives_back_what_is_spent),
        Rules(given_back=_gives_back_in_any_epoch),
        Rules(may_spend=_spends_in_any_epoch),
        Rules(may_spend=_spends_what_is_granted),
        Rules(lets_go_unasked=True),
        Rules(frees_unasked=True),
        Rules(meets_in_the_old_epoch=True),
    ],
    ids=[
        "grants-are-added-up",
        "what-is-spent-goes-back",
        "a-copy-gives-back",
        "a-copy-spends",
        "what-went-back-is-spent",
        "let-go-unasked",
        "freed-before-the-shop-has-answered",
        "put-back-into-its-epoch",
    ],
)
def test_a_mutant_of_the_rules_overspends(mutant: Rules) -> None:
    assert explore(mutant)[1]
