"""What one seed draws: a shop, its days, and the mix of things that go wrong in it.

Every kind of fault is left out of about half the runs (a "swarm"): what is always there hides what
only shows without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

FAULTS: dict[str, tuple[float, float]] = {
    # Times per store-day, from and to.
    "hub killed": (2, 20),
    "hub without power": (1, 10),
    "hub restarted": (1, 5),
    "hub dies at a crash point": (2, 20),
    "hub restored": (1, 3),
    "broker killed": (1, 10),
    "oms killed": (1, 10),
    "oms restored": (0.5, 1),
    "till killed": (1, 10),
    "processor killed": (1, 6),
    "cloud cut": (1, 6),
    "cloud cut one way": (1, 6),
    "cloud link bad": (2, 10),
    "shop network cut": (1, 6),
    "shop network bad": (2, 10),
    "processor cut": (1, 4),
    "hub clock set": (0.5, 4),
    "oms fails": (2, 10),
    "oms loses answers": (2, 10),
    "disk error": (1, 6),
    "disk full": (1, 4),
}
PRINTER_FAULTS: dict[str, tuple[float, float]] = {
    "printer without paper": (2, 12),
    "printer without power": (2, 12),
}
CARD_FAULTS: dict[str, tuple[float, float]] = {
    "acquirer away": (1, 5),
    "terminal killed": (1, 8),
    "terminal cut": (1, 6),
}
"""All kinds, and how often each comes when it comes at all; the last where the hub has to do with
cards."""
STORM_FAULTS: dict[str, tuple[float, float]] = {
    "line away for a day": (0.3, 0.9),
    "terminal away": (0.5, 2),
    "terminal lost": (0.2, 1),
    "terminal line slow": (1, 6),
    "processor line slow": (1, 6),
    "processor can't tell": (0.2, 0.6),
    "hub off for hours": (0.1, 0.4),
}
"""Only where a seed is about nothing but payments."""
CARD_STORM: dict[str, tuple[float, float]] = {
    **STORM_FAULTS,
    **CARD_FAULTS,
    "hub killed": (0.5, 3),
    "hub restarted": (0.5, 2),
    "hub dies at a crash point": (1, 6),
    "till killed": (0.5, 4),
    "processor killed": (0.5, 3),
    "cloud cut": (0.5, 2),
    "hub clock set": (0.3, 1),
}
RARE_FAULTS: dict[str, tuple[float, float]] = {
    "line away at a retry": (0.5, 1.5),
    "processor can't tell of a void": (2.0, 3.0),
    "tills slow to give back": (1.0, 1.0),
}
"""In storms beyond :data:`RARE_ABOVE`: what leads to steps that chance takes too seldom."""
RETRIED = frozenset({"line away at a retry", "processor can't tell of a void"})
RARE_ABOVE = 100
RARE_DAYS = 4
"""Nobody can tell for two of them."""
STORM_EVERY = 6
"""One seed of so many is a storm."""
STORM_DAYS = (2, 2, 3)
STORM_RESTORED = 0.2
"""Share of storms in which the hub is put back to a copy."""
ORDERS_ABOVE = 100
"""Online orders come in half of the seeds beyond: those that planted bugs are known to be found by
stay as they are."""
GIFT_CARDS_ABOVE = 100
"""The same of gift cards, in seeds that aren't storms."""
MORE_OF_CARDS_ABOVE = 100
"""The same of tips and payment links, in storms, too."""
AWAY_WITH_LINKS = (4, 9)
WAYS = ("alone", "own", "hub")

LOSES_STORAGE = frozenset({"hub restored", "oms restored"})
"""Kinds after which somebody knows less than they were told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``faults`` maps a kind to its mean number per store-day; ``scarce``: goods run out
    soon; ``turn_s``: how long what is to be written may wait for its turn; ``cards``: by till, how
    it takes cards (``alone`` where nothing is said).
    """

    seed: int
    days: int = 1
    tills: int = 2
    sales_per_day: int = 120
    anti_entropy: bool = True
    batch_events: int = 100
    batch_max: int = 256
    print_receipts: bool = True
    scarce: bool = True
    turn_s: float = 0.004
    faults: dict[str, float] = field(default_factory=dict)
    cards: tuple[str, ...] = ()
    keeps: bool = False
    """Terminals keep some of what they approve alone."""
    orders: bool = False
    """The web shop's customers order."""
    storm: bool = False
    """Nothing but card payments, and whatever is rare about them."""
    tips: bool = False
    """Customers add tips, with the payment's beginning or at its terminal."""
    surcharges: bool = False
    """Terminals add one to some cards."""
    links: bool = False
    """Customers leave word of how they can be reached, and pay what they owe by links."""
    gift_cards: bool = False
    """Customers pay with gift cards and store credit, too."""

    @property
    def takes_cards(self) -> bool:
        """Whether the hub has to do with cards."""
        return self.gift_cards or any(way != "alone" for way in self.cards)

    @property
    def waits_for_retries(self) -> bool:
        """Whether something strikes when a soft decline is to be tried again."""
        return not RETRIED.isdisjoint(self.faults)

    @property
    def loses_storage(self) -> bool:
        """Whether a database is set back in this run."""
        return not LOSES_STORAGE.isdisjoint(self.faults)


def draw(seed: int, *, anti_entropy: bool | None = None, days: int | None = None) -> Plan:
    """The plan of a seed; what is given is not drawn."""
    if seed % STORM_EVERY == 0:
        return draw_storm(seed, anti_entropy=anti_entropy, days=days)
    random = Random(f"{seed}/plan")
    faults = {
        kind: round(random.uniform(low, high), 2)
        for kind, (low, high) in FAULTS.items()
        if random.random() < 0.4
    }
    at_the_printer = Random(f"{seed}/plan/printers")
    with_anti_entropy = random.random() < 0.5
    at_the_till = Random(f"{seed}/plan/cards")
    cards = tuple(at_the_till.choices(WAYS, (2, 1, 1), k=4))
    keeps = at_the_till.random() < 0.5
    card_faults = {
        kind: round(at_the_till.uniform(low, high), 2)
        for kind, (low, high) in CARD_FAULTS.items()
        if at_the_till.random() < 0.5
    }
    plan = Plan(
        seed=seed,
        days=days or random.choice((1, 1, 2)),
        tills=random.randint(2, 4),
        sales_per_day=random.choice((15, 30, 60, 150)),
        anti_entropy=with_anti_entropy if anti_entropy is None else anti_entropy,
        batch_events=random.choice((1, 3, 20, 100)),
        batch_max=random.choice((1, 4, 256)),
        print_receipts=random.random() < 0.7,
        scarce=random.random() < 0.6,
        turn_s=random.choice((0.004, 0.004, 1.0)),
        faults=faults
        | {
            kind: round(at_the_printer.uniform(low, high), 2)
            for kind, (low, high) in PRINTER_FAULTS.items()
            if at_the_printer.random() < 0.4
        },
    )
    online = seed > ORDERS_ABOVE and Random(f"{seed}/plan/orders").random() < 0.5
    plan = replace(plan, cards=cards[: plan.tills], keeps=keeps, orders=online)
    plan = replace(plan, faults=plan.faults | card_faults) if plan.takes_cards else plan
    has_some = seed > GIFT_CARDS_ABOVE and Random(f"{seed}/plan/value").random() < 0.5
    return _with_more_of_cards(replace(plan, gift_cards=has_some))


def _with_more_of_cards(plan: Plan) -> Plan:
    """What customers may do with cards that the hub has to do with, in later seeds."""
    if plan.seed <= MORE_OF_CARDS_ABOVE or not {"own", "hub"} & {*plan.cards}:
        return plan
    random = Random(f"{plan.seed}/plan/more of cards")
    plan = replace(plan, tips=random.random() < 0.5, links=random.random() < 0.5)
    dear = Random(f"{plan.seed}/plan/surcharges").random() < 0.5
    plan = replace(plan, surcharges=dear)
    if not plan.links:
        return plan
    away = round(random.uniform(*AWAY_WITH_LINKS), 2)  # what isn't stored isn't owed
    return replace(plan, faults=plan.faults | {"acquirer away": away})


def _rare(seed: int) -> dict[str, float]:
    if seed <= RARE_ABOVE:
        return {}
    random = Random(f"{seed}/plan/rare")
    return {
        kind: round(random.uniform(low, high), 2)
        for kind, (low, high) in RARE_FAULTS.items()
        if random.random() < (0.2 if kind == "processor can't tell of a void" else 0.5)
    }


def draw_storm(seed: int, *, anti_entropy: bool | None = None, days: int | None = None) -> Plan:
    """A small shop whose tills take nothing but cards, by the hub, in wild weather."""
    random = Random(f"{seed}/plan/storm")
    faults = {
        kind: round(random.uniform(low, high), 2)
        for kind, (low, high) in CARD_STORM.items()
        if random.random() < (0.9 if kind == "acquirer away" else 0.5)
    }
    if random.random() < STORM_RESTORED:
        faults["hub restored"] = round(random.uniform(0.3, 1), 2)
    drawn = random.random() < 0.5
    rare = _rare(seed)
    drawn_days = random.choice(STORM_DAYS) if days is None else days
    if days is None and "processor can't tell of a void" in rare:
        drawn_days = RARE_DAYS
    plan = Plan(
        seed=seed,
        days=drawn_days,
        tills=2,
        sales_per_day=random.choice((40, 80)),
        anti_entropy=drawn if anti_entropy is None else anti_entropy,
        print_receipts=False,
        scarce=False,
        faults=faults | rare,
        cards=tuple(random.choices(("own", "hub"), k=2)),
        keeps=random.random() < 0.5,
        storm=True,
    )
    return _with_more_of_cards(plan)
