"""Everything that hangs on the hub's box: who keeps it, whose it is, and what it says.

One :class:`Post` for each peripheral of the settings and of the page.  What they are asked
:mod:`devices.peripherals.asking` answers; what they say :mod:`devices.peripherals.telling` writes
down and brings to the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from devices.peripherals.catalogue import KINDS, Catalogue
from devices.peripherals.keeper import Keeper, Kept
from devices.peripherals.model import (
    Capabilities,
    Category,
    ConditionsAre,
    DrawerMoved,
    Entry,
    Misread,
    Peripheral,
    PeripheralError,
    Phase,
    Scanned,
    Told,
    Weight,
)
from devices.peripherals.transports.address import leads_to
from hub.contract.conditions import Condition

log = logging.getLogger(__name__)

REFUSED: Final = "refused"
NOTHING_TOLD: Final[frozenset[Condition]] = frozenset()


@dataclass(slots=True)
class Post:
    """A peripheral at its place.  ``problem``: why it can't be driven at all; ``since_ms``: since
    when it is as it is."""

    entry: Entry
    source: str
    since_ms: int
    shadows: bool = False
    removed: bool = False
    driver: Peripheral | None = None
    keeper: Keeper | None = None
    problem: str = ""
    kind: str = ""
    conditions: frozenset[Condition] = NOTHING_TOLD
    opened: bool | None = None
    weight: Weight | None = None
    scans: list[asyncio.Future[Scanned]] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def state(self) -> Kept | None:
        """How its keeper stands."""
        return self.keeper.state if self.keeper is not None else None

    @property
    def ready(self) -> bool:
        """Whether it may be asked."""
        return self.keeper is not None and self.keeper.ready

    @property
    def phase(self) -> str:
        """``claiming``, ``ready``, ``lost`` or ``refused``."""
        state = self.state
        return REFUSED if state is None else state.phase.value

    @property
    def reason(self) -> str:
        """Why it isn't ready."""
        state = self.state
        return self.problem if state is None else state.reason

    @property
    def held(self) -> frozenset[Condition]:
        """What is the matter with it, while it can say so."""
        if not self.ready:
            return NOTHING_TOLD
        return self.conditions | ({"drawer-open"} if self.opened else set())

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self.driver.capabilities if self.driver is not None else Capabilities()


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of what peripherals say; all are quick and never raise.

    ``changed``: how a peripheral is, or what it says of itself; ``gone``: it isn't driven any more;
    ``ready``: a printer or drawer may be asked (again), ``able``: or something about it changed.
    """

    changed: Callable[[Post], None]
    gone: Callable[[Entry], None]
    scanned: Callable[[Post, Scanned | Misread], None]
    moved: Callable[[Post, bool], None]
    weighed: Callable[[Post, Weight], None]
    ready: Callable[[str], None]
    able: Callable[[], None]


class Desk:
    """All methods are called on the event loop."""

    def __init__(self, catalogue: Catalogue, now_ms: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._now_ms = now_ms
        self._posts: dict[str, Post] = {}
        self.ears: Ears | None = None

    # -- who is there -------------------------------------------------------------------------

    @property
    def posts(self) -> tuple[Post, ...]:
        """All, in the order of the settings."""
        return tuple(self._posts.values())

    def post(self, peripheral_id: str) -> Post | None:
        """One."""
        return self._posts.get(peripheral_id)

    async def keep(self, wanted: Sequence[tuple[Entry, str, bool]]) -> None:
        """Drive these (each with its source and whether it shadows another) and no others; what
        didn't change goes on undisturbed."""
        new = {entry.id: (entry, source, shadows) for entry, source, shadows in wanted}
        await asyncio.to_thread(self._catalogue.prepare, {entry.driver for entry, _, _ in wanted})
        changed = {
            name
            for name, post in self._posts.items()
            if name not in new or new[name][0] != post.entry
        }
        while more := {
            name
            for name, post in self._posts.items()
            if post.entry.via in changed and name not in changed
        }:
            changed |= more
        changed |= {name for name, post in self._posts.items() if post.problem}
        for name in changed - new.keys():
            self._posts[name].removed = True
        await asyncio.gather(*(self._end(self._posts[name]) for name in changed))
        before, posts = self._posts, dict[str, Post]()
        for name, (entry, source, shadows) in new.items():
            kept = name in before and name not in changed
            post = before[name] if kept else Post(entry, source, self._now_ms())
            post.source, post.shadows = source, shadows
            posts[name] = post
        self._posts = posts  # at once: the writer's thread may be looking
        for name in sorted(changed - new.keys()):
            self._tell_gone(before[name].entry)
        for post in _hosts_first(self._posts.values()):
            if post.driver is None and not post.problem:
                self._begin(post)

    async def refuse(self, peripheral_id: str, problem: str) -> None:
        """Don't drive it: what is set about it can't be meant so."""
        post = self._posts.get(peripheral_id)
        if post is not None:
            await self._end(post)
            post.problem, post.since_ms = problem, self._now_ms()

    async def stop(self) -> None:
        """Let go of all of them."""
        await asyncio.gather(*(self._end(post) for post in self._posts.values()))

    def poke(self, addresses: Iterable[str]) -> None:
        """Something came or went at these addresses: whoever waits there tries now."""
        known = set(addresses)
        for post in self._posts.values():
            if post.keeper is not None and leads_to(post.entry.address, known):
                post.keeper.poke()

    def _begin(self, post: Post) -> None:
        entry = post.entry
        try:
            driver = self._catalogue.driver(entry.driver)
            post.kind = KINDS[driver.category]
            post.driver = self._catalogue.make(entry, lambda told: self._told(post, told), self._at)
        except PeripheralError as error:
            post.problem, post.since_ms = str(error), self._now_ms()
            log.warning("%s isn't driven: %s", entry.id, error)
            self._tell_changed(post)
            return
        post.keeper = Keeper(entry.id, post.driver, lambda _state: self._phase(post))
        post.keeper.start()
        self._tell_changed(post)

    async def _end(self, post: Post) -> None:
        keeper, post.keeper, post.driver, post.problem = post.keeper, None, None, ""
        post.conditions, post.opened, post.weight = NOTHING_TOLD, None, None
        if keeper is not None:
            await keeper.stop()

    def _at(self, peripheral_id: str) -> Peripheral | None:
        post = self._posts.get(peripheral_id)
        return post.driver if post is not None else None

    # -- what they say ------------------------------------------------------------------------

    def _phase(self, post: Post) -> None:
        if post.keeper is None or self._posts.get(post.entry.id) is not post:
            return
        state = post.keeper.state
        post.since_ms = state.since_at_ms
        if state.phase is not Phase.READY:
            post.opened = None
        self._tell_changed(post)
        if self.ears is not None:
            if state.phase is Phase.READY:
                self.ears.ready(post.entry.id)
            else:
                self.ears.able()

    def _told(self, post: Post, told: Told) -> None:
        if self.ears is None or self._posts.get(post.entry.id) is not post:
            return
        match told:
            case ConditionsAre(conditions):
                if conditions != post.conditions:
                    post.conditions = conditions
                    self._tell_changed(post)
                    self.ears.able()
            case Scanned():
                waiting, post.scans = post.scans, []
                for one in waiting:
                    if not one.done():
                        one.set_result(told)
                self.ears.scanned(post, told)
            case Misread():
                self.ears.scanned(post, told)
            case DrawerMoved(opened):
                post.opened = opened
                self.ears.moved(post, opened)
                self._tell_changed(post)
            case Weight():
                post.weight = told
                self.ears.weighed(post, told)

    def _tell_changed(self, post: Post) -> None:
        if self.ears is not None:
            self.ears.changed(post)

    def _tell_gone(self, entry: Entry) -> None:
        if self.ears is not None:
            self.ears.gone(entry)

    # -- whose they are -----------------------------------------------------------------------

    def of_till(self, device_id: str, category: Category) -> list[Post]:
        """Those of a kind that belong to a till: its own first, then those of all tills."""
        found = self.all_of(category)
        own = [one for one in found if device_id in one.entry.serves]
        return own or [one for one in found if not one.entry.serves]

    def tills_of(self, post: Post, tills: Sequence[str]) -> tuple[str, ...]:
        """Whom a scan is for; one that serves all tills knows only where there is one."""
        if post.entry.serves:
            return post.entry.serves
        alone = [
            one
            for one in tills
            if all(one not in other.entry.serves for other in self.all_of(Category.SCANNER))
        ]
        return tuple(alone) if len(alone) == 1 else ()

    def all_of(self, category: Category) -> list[Post]:
        """All of a kind that are driven, in the order of the settings."""
        # The writer's thread asks, too, while the loop lets go of drivers: each is looked at once.
        found = [(one, one.driver) for one in self._posts.values()]
        return [one for one, driver in found if driver and driver.category is category]


def _hosts_first(posts: Iterable[Post]) -> list[Post]:
    """Whoever others hang on comes before them."""
    return sorted(posts, key=lambda one: bool(one.entry.via))


__all__ = ["Desk", "Ears", "Post"]
