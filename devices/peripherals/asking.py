"""What tills, pages and the spooler ask of what hangs on the hub's box."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from devices.peripherals.catalogue import KINDS, Catalogue
from devices.peripherals.desk import Desk, Post
from devices.peripherals.model import (
    CashDrawer,
    Category,
    Ended,
    Entry,
    LineDisplay,
    Outcome,
    PaymentTerminal,
    Peripheral,
    PeripheralError,
    POSPrinter,
    Scale,
    Scanned,
    Scanner,
)
from devices.peripherals.transports.address import place_of
from hub.contract.peripherals import (
    ConfigurePeripheral,
    DriverView,
    FoundPeripheral,
    PeripheralView,
)
from hub.contract.problems import Code, Refusal, refuse
from hub.documents.layout import Layout
from hub.domain.cards import find_card_data
from hub.service.handlers.printing import Begun

KICK: Final = "drawer-kick"
LABEL: Final = "shelf-label"
FOUND_MAX: Final = 100
SHOWN_MAX: Final = 80
"""Characters of a code that a scanner is tried with."""
DRIVER_OF: Final = {
    Category.PRINTER: "escpos-printer",
    Category.SCANNER: "serial-scanner",
    Category.SCALE: "toledo-scale",
}
"""What most of a kind are driven by."""
STOPPING: Final = frozenset({"printer-offline", "printer-paper-empty", "printer-cover-open"})


class Counter:
    """See :class:`hub.service.ports.PeripheralDesk` and
    :class:`devices.peripherals.spooler.Printers`."""

    def __init__(self, desk: Desk, catalogue: Catalogue) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._searching = asyncio.Lock()

    # -- the spooler's ------------------------------------------------------------------------

    def route(self, device_id: str, kind: str) -> Sequence[str]:
        """See :class:`devices.peripherals.spooler.Printers`."""
        if kind == KICK:
            drawers = self._desk.of_till(device_id, Category.DRAWER)
            return tuple(one.entry.via or one.entry.id for one in drawers[:1])
        labels = kind == LABEL
        known = self._desk.of_till(device_id, Category.PRINTER)
        if not device_id and not known:  # what the page prints comes out somewhere
            known = self._desk.all_of(Category.PRINTER)
        printers = [one for one in known if labels or "label" not in one.capabilities.names]
        if labels:
            printers.sort(key=lambda one: "label" not in one.capabilities.names)
        found: dict[str, None] = {}
        for post in printers[:1]:
            at: Post | None = post
            while at is not None and at.entry.id not in found:
                found[at.entry.id] = None
                at = self._desk.post(at.entry.fallback)
        return tuple(found)

    def is_ready(self, printer_id: str) -> bool:
        """See :class:`devices.peripherals.spooler.Printers`."""
        post = self._desk.post(printer_id)
        return post is not None and post.ready and STOPPING.isdisjoint(post.conditions)

    async def print(self, printer_id: str, layout: Layout, _job: Begun) -> Ended:
        """See :class:`devices.peripherals.spooler.Printers`."""
        post = self._desk.post(printer_id)
        if post is None or not post.ready or not isinstance(post.driver, POSPrinter):
            return Ended(Outcome.NOT_BEGUN, _why_not(printer_id, post))
        driver = post.driver
        async with post.turn:
            ended = await driver.print(layout)
        if ended.outcome is Outcome.PRINTED or post.driver is driver:
            return ended
        anew = f"{printer_id} was set up anew while it printed"
        return replace(ended, reason=_removed(printer_id) if post.removed else anew)

    async def kick(self, printer_id: str, job: Begun) -> Ended:
        """See :class:`devices.peripherals.spooler.Printers`."""
        for post in self._desk.of_till(job.device_id, Category.DRAWER):
            if printer_id in (post.entry.via, post.entry.id):
                if not post.ready or not isinstance(post.driver, CashDrawer):
                    return Ended(Outcome.NOT_BEGUN, _why_not(post.entry.id, post))
                return await post.driver.open()
        return Ended(Outcome.REFUSED, f"no drawer of {job.device_id} hangs on {printer_id}")

    # -- asked at once ------------------------------------------------------------------------

    async def check(self, command: ConfigurePeripheral) -> None:
        """Errors: ``validation`` when no driver takes what is set."""
        entry = Entry(
            command.id,
            command.driver,
            command.address,
            via=command.via or "",
            options=dict(command.options),
        )
        await asyncio.to_thread(self._catalogue.prepare, [command.driver])
        try:
            self._catalogue.make(entry, lambda _told: None, self._driver_of)
        except PeripheralError as error:
            raise refuse(Code.VALIDATION, f"{error}.", field="driver") from error

    async def drivers(self) -> tuple[DriverView, ...]:
        """What can be driven."""
        return await asyncio.to_thread(self._catalogue.views)

    def listed(self) -> tuple[PeripheralView, ...]:
        """All peripherals and how they are."""
        return tuple(_view(post) for post in self._desk.posts)

    async def weigh(
        self, device_id: str, scale_id: str | None, timeout_s: float
    ) -> tuple[str, int, bool]:
        """The scale, grams, and whether it is zero."""
        post = self._asked(device_id, scale_id, Category.SCALE)
        assert isinstance(post.driver, Scale)
        try:
            async with asyncio.timeout(timeout_s + 1.0), post.turn:
                weight = await post.driver.weigh(timeout_s)
        except TimeoutError:
            raise _unavailable(f"{post.entry.id} doesn't come to rest: weigh again") from None
        except PeripheralError as error:
            raise _unavailable(str(error)) from error
        return post.entry.id, weight.grams, weight.zero

    async def show(self, device_id: str, display_id: str | None, lines: tuple[str, ...]) -> str:
        """Show lines to the customer; the display."""
        post = self._asked(device_id, display_id, Category.DISPLAY)
        assert isinstance(post.driver, LineDisplay)
        try:
            async with post.turn:
                await post.driver.show(lines)
        except PeripheralError as error:
            raise _unavailable(str(error)) from error
        return post.entry.id

    async def try_out(self, peripheral_id: str, timeout_s: float) -> str:
        """Try one; what came of it, in words."""
        post = self._desk.post(peripheral_id)
        if post is None:
            raise _unknown(peripheral_id)
        _need_ready(post)
        match post.driver:
            case LineDisplay() as display:
                await self._shown(post, display)
                return f"{peripheral_id} shows its own name: look at it."
            case Scale() as scale:
                return await self._weighed(post, scale, timeout_s)
            case Scanner():
                return await self._scan_of(post, timeout_s)
            case PaymentTerminal() as terminal:
                return await _diagnosed(post, terminal)
            case _:
                raise refuse(
                    Code.VALIDATION,
                    "Printers print a test page (print/test), drawers are opened by their till"
                    " (drawer/open).",
                )

    async def _shown(self, post: Post, display: LineDisplay) -> None:
        try:
            async with post.turn:
                await display.show((post.entry.name or post.entry.id, "Store Hub"))
        except PeripheralError as error:
            raise _unavailable(str(error)) from error

    async def _weighed(self, post: Post, scale: Scale, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s + 1.0), post.turn:
                weight = await scale.weigh(timeout_s)
        except TimeoutError:
            raise _unavailable(f"{post.entry.id} doesn't come to rest: try again") from None
        except PeripheralError as error:
            raise _unavailable(str(error)) from error
        return f"{post.entry.id} shows {weight.grams} g."

    async def _scan_of(self, post: Post, timeout_s: float) -> str:
        if len(post.scans) >= 4:
            raise refuse(Code.BUSY, f"{post.entry.id} is being tried already.")
        scan: asyncio.Future[Scanned] = asyncio.get_running_loop().create_future()
        post.scans.append(scan)
        try:
            async with asyncio.timeout(timeout_s):
                scanned = await scan
        except TimeoutError:
            raise _unavailable(
                f"{post.entry.id} read nothing within {timeout_s:g} s: scan something while you"
                " try it"
            ) from None
        finally:
            if scan in post.scans:
                post.scans.remove(scan)
        return f"{post.entry.id} read {_shown(scanned.data)} ({scanned.aim or 'no AIM'})."

    def _asked(self, device_id: str, wanted: str | None, category: Category) -> Post:
        """The one that a till asks.  Errors: ``not-found``, ``forbidden``, ``unavailable``."""
        what = KINDS[category]
        if wanted is None:
            found = self._desk.of_till(device_id, category)
            if not found:
                raise refuse(
                    Code.NOT_FOUND,
                    f"No {what} belongs to {device_id}: set one up on the hub's page or by"
                    " `store-hub peripherals add`.",
                )
            post = next((one for one in found if one.ready), found[0])
        else:
            at = self._desk.post(wanted)
            if at is None or at.kind != what:
                raise refuse(Code.NOT_FOUND, f"There is no {what} {wanted}.")
            if at.entry.serves and device_id not in at.entry.serves:
                raise refuse(Code.FORBIDDEN, f"{wanted} belongs to other tills.")
            post = at
        _need_ready(post)
        return post

    def has_drawer(self, device_id: str) -> bool:
        """Whether a drawer of the hub's belongs to this till; from any thread."""
        return bool(self._desk.of_till(device_id, Category.DRAWER))

    async def find(self, timeout_s: float) -> tuple[FoundPeripheral, ...]:
        """Look for peripherals, here and in the network."""
        from devices.peripherals.finding.search import find

        async with self._searching:
            found = await find(timeout_s)
        known = {place_of(one.entry.address): one.entry.id for one in self._desk.posts}
        return tuple(
            FoundPeripheral(
                title=one.model or one.name or one.address,
                driver=DRIVER_OF.get(one.category, "") if one.category else "",
                address=one.address,
                detail=" ".join(filter(None, (one.how.value, one.name if one.model else ""))),
                known_as=known.get(place_of(one.address), ""),
            )
            for one in found[:FOUND_MAX]
        )

    def _driver_of(self, peripheral_id: str) -> Peripheral | None:
        post = self._desk.post(peripheral_id)
        return post.driver if post is not None else None


async def _diagnosed(post: Post, terminal: PaymentTerminal) -> str:
    try:
        report = await terminal.diagnose()
    except PeripheralError as error:
        raise _unavailable(str(error)) from error
    reaches = {True: "reaches", False: "doesn't reach", None: "doesn't say whether it reaches"}
    told = f"{post.entry.id} answers and {reaches[report.online]} its acquirer"
    if report.stored_count:
        told += f"; it keeps {report.stored_count} payments that it hasn't forwarded yet"
    return f"{told}."


def _shown(data: bytes) -> str:
    """A code as whoever tries a scanner compares it; never a card's number."""
    text = data.decode("utf-8", "backslashreplace")
    if find_card_data(text) is not None:
        return f"a code of {len(data)} characters that may be a card's number: it isn't shown"
    shown = text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
    return f"a code of {len(data)} characters, {json.dumps(shown, ensure_ascii=False)}"


def _need_ready(post: Post) -> None:
    if not post.ready:
        raise _unavailable(
            f"{post.entry.id} isn't ready: {post.reason or 'it is being looked for'}"
        )


def _why_not(peripheral_id: str, post: Post | None) -> str:
    if post is None:
        return _removed(peripheral_id)
    return post.reason or f"{peripheral_id} isn't ready"


def _removed(peripheral_id: str) -> str:
    return f"{peripheral_id} was removed from the settings: choose another printer"


def _unavailable(why: str) -> Refusal:
    return refuse(Code.UNAVAILABLE, f"{why.rstrip('.')}.", retry_after_ms=2000)


def _unknown(peripheral_id: str) -> Refusal:
    return refuse(
        Code.NOT_FOUND,
        "There is no such peripheral: `store-hub peripherals list` shows them all.",
        id=peripheral_id,
    )


def _view(post: Post) -> PeripheralView:
    entry, state, can = post.entry, post.state, post.capabilities
    identity = state.identity if state is not None else None
    return PeripheralView(
        id=entry.id,
        name=entry.name or entry.id,
        kind=post.kind,
        driver=entry.driver,
        address=entry.address,
        serves=entry.serves,
        via=entry.via,
        fallback=entry.fallback,
        options=dict(entry.options),
        source=post.source,
        shadows=post.shadows,
        phase=post.phase,
        reason=post.reason,
        since_ms=post.since_ms,
        capabilities=tuple(sorted(can.names)),
        width_mm=can.width_mm,
        confirms=can.confirms,
        maker=identity.maker if identity else "",
        model=identity.model if identity else "",
        firmware=identity.firmware if identity else "",
        serial=identity.serial if identity else "",
        conditions=tuple(sorted(post.held)),
        opened=post.opened,
    )
