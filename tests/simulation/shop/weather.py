"""What befalls card payments: lines and terminals that are away, for moments or for days."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

from hub.domain.payments.states import PaymentState
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows
from tests.simulation.shop.plan import RARE_ABOVE

if TYPE_CHECKING:
    from tests.simulation.shop.nemesis import Nemesis

DAY_S = 86_400.0
CUT_AGAIN_S = 120.0
LOOKS = 720
"""Of a minute: so long something is waited for."""
S = PaymentState


def both(a: str, b: str) -> list[tuple[str, str]]:
    """Both directions between two machines."""
    return [(a, b), (b, a)]


def minutes(random: Random) -> float:
    """Up to half an hour, in seconds."""
    return random.uniform(5, 1800)


async def _acquirer_away(nemesis: Nemesis, random: Random) -> None:
    """Terminals, tills and the hub can't reach the processor; the shop goes on."""
    shop = nemesis.shop
    names = ["hub", *shop.till_names, *(one.name for one in shop.terminals.values())]
    long_s = random.uniform(60, 36_000) if random.random() < 0.95 else random.uniform(1, 2) * DAY_S
    await nemesis.cut([way for name in names for way in both(name, "processor")], long_s)


async def _kill_terminal(nemesis: Nemesis, random: Random) -> None:
    await nemesis.kill(random.choice(list(nemesis.shop.terminals.values())).name)


async def _cut_terminal(nemesis: Nemesis, random: Random) -> None:
    """From one of those that it talks to; or answers get lost."""
    shop = nemesis.shop
    till, terminal = random.choice(list(shop.terminals.items()))
    ways = random.choice(
        (
            both(terminal.name, "processor"),
            both("hub", "processor"),
            both(terminal.name, till) + both(terminal.name, "hub"),
            [("processor", terminal.name), ("processor", "hub")],
            [(terminal.name, till), (terminal.name, "hub")],
        )
    )
    await nemesis.cut(ways, minutes(random))


async def _away_for_a_day(nemesis: Nemesis, random: Random) -> None:
    """Long enough for deadlines; before, the hub gets through for a moment, or half through."""
    shop = nemesis.shop
    terminals = [
        way
        for name in (*shop.till_names, *(one.name for one in shop.terminals.values()))
        for way in both(name, "processor")
    ]
    hub = both("hub", "processor")
    first_s, crack_s = random.uniform(1_800, 10_800), random.uniform(60, 1_200)
    hours = random.uniform(20.5, 32) if random.random() < 0.7 else random.uniform(48.5, 54)
    through = random.choice(([], hub[:1], hub[1:]))
    await _kept_cut(nemesis, [*terminals, *hub], first_s)
    await asyncio.gather(
        _kept_cut(nemesis, terminals, crack_s), nemesis.cut(through, crack_s - 0.01)
    )
    await _kept_cut(nemesis, [*terminals, *hub], hours * 3_600)


async def _kept_cut(nemesis: Nemesis, ways: list[tuple[str, str]], seconds: float) -> None:
    """Whatever else is joined meanwhile."""
    end_s = nemesis.world.loop.time() + seconds
    links = [nemesis.world.network.link(*way) for way in ways]
    while (left_s := end_s - nemesis.world.loop.time()) > 0:
        for link in links:
            link.up = False
        await asyncio.sleep(min(CUT_AGAIN_S, left_s))
    for link in links:
        link.up = True


async def _terminal_away(nemesis: Nemesis, random: Random) -> None:
    """In the cellar, or at the repair shop."""
    name = random.choice(list(nemesis.shop.terminals.values())).name
    hours = random.uniform(0.27, 3) if random.random() < 0.6 else random.uniform(24.5, 34)
    nemesis.shop.supervisor.hold(name)
    try:
        await nemesis.kill(name)
        await asyncio.sleep(hours * 3_600)
    finally:
        nemesis.shop.supervisor.release(name)


async def _lose_terminal(nemesis: Nemesis, random: Random) -> None:
    """For good; another one takes its place."""
    terminal = random.choice(list(nemesis.shop.terminals.values()))
    if nemesis.shop.plan.seed > RARE_ABOVE:  # what it keeps itself nobody else has
        for _ in range(LOOKS):
            if terminal.keeps_some():
                break
            await asyncio.sleep(60.0)
    await nemesis.kill(terminal.name)
    terminal.lose()


async def _dumb_processor(nemesis: Nemesis, random: Random) -> None:
    """For days it can't tell what became of anything."""
    nemesis.shop.processor.dumb = True
    try:
        await asyncio.sleep(random.uniform(1_800, 7_200) if random.random() < 0.4 else 2.2 * DAY_S)
    finally:
        nemesis.shop.processor.dumb = False


async def _away_at_a_retry(nemesis: Nemesis, random: Random) -> None:
    """Just when what was declined for now is to be tried again; or the hub is off, past its
    deadline."""
    if not await _until(nemesis, lambda rows: paymentrows.in_state(rows, S.RETRY_WAIT, 1)):
        return
    nemesis.world.count("line away at a retry")
    if random.random() < 0.6:
        hours = random.uniform(0.5, 5)
        await _kept_cut(nemesis, both("hub", "processor"), hours * 3_600)
        return
    nemesis.shop.supervisor.hold("hub")
    try:
        await nemesis.kill("hub")
        await asyncio.sleep(random.uniform(24.5, 28) * 3_600)
    finally:
        nemesis.shop.supervisor.release("hub")


async def _dumb_of_a_void(nemesis: Nemesis, random: Random) -> None:
    """Nobody can tell what became of what is in doubt, nor of what waits to be tried again; its
    customers bring that back."""
    shop = nemesis.shop
    found = await _until(
        nemesis,
        lambda rows: [
            *paymentrows.in_state(rows, S.RETRY_WAIT, 5),
            *paymentrows.in_state(rows, S.FORWARD_UNKNOWN, 1),
        ],
    )
    if not found:
        return
    nemesis.world.count("processor can't tell of a void")
    shop.processor.dumb = True
    try:
        for row in found:
            if row.state == S.RETRY_WAIT:
                shop.office.bring_back(row)
        await asyncio.sleep(random.uniform(2.1, 2.4) * DAY_S)
    finally:
        shop.processor.dumb = False


async def _until(nemesis: Nemesis, look: Callable[[Rows], list[PaymentRow]]) -> list[PaymentRow]:
    """What is found in the hub's book within hours, as soon as there is some."""
    for _ in range(LOOKS):
        await asyncio.sleep(60.0)
        running = nemesis.shop.hub.running
        if running is None or not running.process.ready or nemesis.shop.disk.broken:
            continue
        if found := look(running.rows.quiet):
            return found
    return []


async def _slow_to_give_back(nemesis: Nemesis, random: Random) -> None:
    """Terminals forward meanwhile what a till is to have them drop."""
    board = nemesis.shop.tills[0].tap.board
    board.slow = True
    try:
        await asyncio.sleep(random.uniform(0.3, 1.0) * DAY_S)
    finally:
        board.slow = False


async def _hub_off(nemesis: Nemesis, random: Random) -> None:
    """Somebody has taken its plug; it is found after hours."""
    nemesis.shop.supervisor.hold("hub")
    try:
        await nemesis.kill("hub")
        await asyncio.sleep(random.uniform(3_600, 1.2 * DAY_S))
    finally:
        nemesis.shop.supervisor.release("hub")


async def _slow_processor(nemesis: Nemesis, random: Random) -> None:
    """What the hub asks it for is done in an hour, and much of what is asked later before."""
    link = nemesis.world.network.link("hub", "processor")
    link.delay_s, link.reorder = (0.001, random.choice((60.0, 5_400.0))), True
    await asyncio.sleep(random.uniform(1_800, 10_800))
    link.delay_s, link.reorder = (0.001, 0.005), False


async def _slow_terminal(nemesis: Nemesis, random: Random) -> None:
    """What it was asked for arrives long after whoever asked has gone, in any order."""
    till, terminal = random.choice(list(nemesis.shop.terminals.items()))
    links = [nemesis.world.network.link(one, terminal.name) for one in ("hub", till)]
    for link in links:
        link.delay_s, link.reorder = (0.001, 900.0), True
    await asyncio.sleep(random.uniform(1_800, 7_200))
    for link in links:
        link.delay_s, link.reorder = (0.001, 0.005), False


CARD_ACTS: dict[str, Callable[[Nemesis, Random], Awaitable[None]]] = {
    "acquirer away": _acquirer_away,
    "terminal killed": _kill_terminal,
    "terminal cut": _cut_terminal,
    "line away for a day": _away_for_a_day,
    "terminal away": _terminal_away,
    "terminal lost": _lose_terminal,
    "terminal line slow": _slow_terminal,
    "processor line slow": _slow_processor,
    "processor can't tell": _dumb_processor,
    "hub off for hours": _hub_off,
    "line away at a retry": _away_at_a_retry,
    "processor can't tell of a void": _dumb_of_a_void,
    "tills slow to give back": _slow_to_give_back,
}
