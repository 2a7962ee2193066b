"""The reads of the technician's pages: their parameters checked, their answers made beside the
writer, one at a time, within the readers' bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ValidationError

from hub.config import Loaded
from hub.contract.base import Outgoing
from hub.contract.pages import cloud as cloud_models
from hub.contract.pages import devices as device_models
from hub.contract.pages import history as history_models
from hub.contract.pages import house
from hub.contract.pages import orders as order_models
from hub.contract.pages import payments as payment_models
from hub.contract.pages import printing as print_models
from hub.contract.pages import sales as sale_models
from hub.contract.pages import stock as stock_models
from hub.contract.pages.devices import Traffic, TrafficQuery
from hub.contract.pages.table import READS, PageRead
from hub.contract.problems import Code, Refusal, problem, refuse
from hub.documents.templates import Template
from hub.health.status import StatusSource
from hub.logs import Recent
from hub.service.answers import from_validation
from hub.service.books import Books
from hub.service.caller import Caller
from hub.service.gate import Gate, ReadUnit
from hub.service.pages import (
    cloud,
    devices,
    history,
    orders,
    outages,
    payments,
    printing,
    sales,
    stock,
)
from hub.storage.rows import Rows
from hub.web import answers, logpage, settingspage
from hub.web.loglevels import LogLevels
from hub.web.supportdesk import Bundle, SupportDesk

WAIT_S: Final = 5.0
UNATTENDED_HEADER: Final = "X-Unattended"
"""On a request that nobody pressed a button for: it doesn't keep the session from ending."""

Reader = Callable[[ReadUnit, Any], Outgoing]
FROM_ROWS: Final[Mapping[type[BaseModel], Reader]] = {
    device_models.DevicesQuery: devices.listed,
    device_models.DeviceQuery: devices.one,
    stock_models.ProductsQuery: stock.products,
    stock_models.ProductQuery: stock.product,
    stock_models.LedgerQuery: stock.ledger,
    stock_models.CountsQuery: stock.counts,
    sale_models.DaysQuery: sales.days,
    sale_models.SalesQuery: sales.listed,
    sale_models.SaleQuery: sales.one,
    sale_models.BasketsQuery: sales.baskets,
    sale_models.BasketQuery: sales.basket,
    cloud_models.EventsQuery: cloud.events,
    cloud_models.EventQuery: cloud.event,
    cloud_models.ParkedQuery: cloud.parked,
    cloud_models.CommandsQuery: cloud.commands,
    order_models.OrdersQuery: orders.listed,
    order_models.OrderQuery: orders.one,
    payment_models.PaymentsQuery: payments.overview,
    payment_models.AllPaymentsQuery: payments.listed,
    payment_models.PaymentQuery: payments.one,
    print_models.PrintingQuery: printing.overview,
    print_models.EndedQuery: printing.ended,
    history_models.LinkHistoryQuery: history.link,
    history_models.SpeedHistoryQuery: history.speed,
    history_models.SalesHistoryQuery: history.sales,
    history_models.OutagesQuery: outages.listed,
    history_models.OutageQuery: outages.one,
}


def _silent(device: str, _limit: int) -> Traffic:
    return Traffic(device_id=device, exchanges=(), total=0)


async def _none() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show besides the database; a hub without one of them shows nothing of it."""

    traffic: Callable[[str, int], Traffic] = _silent
    recent: Recent = field(default_factory=Recent)
    loaded: Loaded | None = None
    metrics: Callable[[], Awaitable[bytes]] = _none
    template: Template | None = None
    """What the shop sets about its paper; None: as for a shop that sets nothing."""


class Reads:
    """Answers them; ``levels`` changes how much is logged."""

    def __init__(self, gate: Gate, status: StatusSource, sources: Sources) -> None:
        self._gate = gate
        self._status = status
        self._sources = sources
        self._turn = asyncio.Semaphore(1)
        self._drawing = asyncio.Semaphore(1)
        self.levels = LogLevels(gate.clock)
        self.desk = SupportDesk(gate, status, sources.recent.lines, sources.loaded, sources.metrics)
        self._others: dict[type[BaseModel], Callable[[Caller, Any], Awaitable[Outgoing]]] = {
            TrafficQuery: self._traffic,
            cloud_models.CloudQuery: self._cloud,
            print_models.PeripheralsQuery: self._peripherals,
            print_models.JobQuery: self._job,
            house.LogsQuery: self._logs,
            house.SettingsQuery: self._settings,
            house.PreviewQuery: self._preview,
        }

    async def answer(self, caller: Caller, request: web.Request) -> web.StreamResponse:
        """The answer to one of ``READS``.  Errors: ``validation``, ``not-found``, ``busy``."""
        resource = request.match_info.route.resource
        assert resource is not None
        query = read_query(BY_PATH[resource.canonical], request)
        if isinstance(query, house.SupportQuery):
            return await self.bundle(caller, query.bundle_id)
        if isinstance(query, print_models.ReceiptQuery):
            return await self._receipt(caller, query)
        if isinstance(query, print_models.PictureQuery):
            return await self._picture(caller, query)
        if (other := self._others.get(type(query))) is not None:
            return answers.answer(await other(caller, query))
        reader = FROM_ROWS[type(query)]
        return answers.answer(await self._read(caller, lambda unit: reader(unit, query)))

    async def bundle(self, caller: Caller, bundle_id: str | None) -> web.Response:
        """A support bundle as a file.  Errors: ``not-found``."""
        made = self.desk.find(bundle_id) if bundle_id else await self._make(caller)
        raw = await asyncio.to_thread(made.zipped)
        await self.desk.note(caller, "support.taken", made.preview.bundle_id)
        name = made.preview.file_name
        return web.Response(
            body=raw,
            content_type="application/zip",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )

    async def made_for(self, caller: Caller) -> tuple[str, bytes]:
        """A fresh support bundle: the file's name and the file."""
        made = await self._make(caller)
        return made.preview.file_name, await asyncio.to_thread(made.zipped)

    async def _read(self, caller: Caller, reader: Callable[[ReadUnit], Any]) -> Any:
        """In a reader's thread; one at a time, so that devices' searches find another one free."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Refusal(
                problem(Code.BUSY, "Another page is being read: repeat.", retry_after_ms=1000)
            ) from None
        try:
            return await self._gate.read(lambda rows: reader(self._unit(rows, caller)))
        finally:
            self._turn.release()

    def _unit(self, rows: Rows, caller: Caller) -> ReadUnit:
        gate = self._gate
        books = Books(gate.shop.currency)
        now_ms, budget_ms = gate.clock.wall_ms(), gate.budget.budget_ms()
        return ReadUnit(rows, caller, gate.shop, books, now_ms, budget_ms)

    async def _traffic(self, _caller: Caller, query: TrafficQuery) -> Traffic:
        return self._sources.traffic(query.device_id, query.limit)

    async def _cloud(self, caller: Caller, _query: cloud_models.CloudQuery) -> Outgoing:
        link = (await self._status.status()).cloud
        found: Outgoing = await self._read(caller, lambda unit: cloud.page(unit, link))
        return found

    async def _peripherals(
        self, _caller: Caller, _query: print_models.PeripheralsQuery
    ) -> print_models.PeripheralsPage:
        desk = self._gate.live.desk
        if desk is None:
            return print_models.PeripheralsPage(kept=False)
        return print_models.PeripheralsPage(kept=True, peripherals=desk.listed())

    async def _job(self, caller: Caller, query: print_models.JobQuery) -> Outgoing:
        template = self._template()
        found: Outgoing = await self._read(caller, lambda unit: printing.one(unit, query, template))
        return found

    async def _receipt(self, caller: Caller, query: print_models.ReceiptQuery) -> web.Response:
        template = self._template()
        text = await self._read(caller, lambda unit: printing.receipt(unit, query, template))
        return answers.document(text)

    async def _picture(self, caller: Caller, query: print_models.PictureQuery) -> web.Response:
        from hub.documents.fonts import FontMissing
        from hub.documents.picture import png

        template = self._template()
        layout = await self._read(caller, lambda unit: printing.layout(unit, query, template))
        async with self._drawing:
            try:
                drawn = await asyncio.to_thread(png, layout)
            except FontMissing as error:
                raise refuse(Code.UNAVAILABLE, str(error)) from error
        return web.Response(
            body=drawn, content_type="image/png", headers={"Cache-Control": "no-store"}
        )

    def _template(self) -> Template:
        """Of what is only looked at: a code that goods are returned by has to be had on paper."""
        shop = self._gate.shop
        made = self._sources.template or Template(shop.name, timezone=shop.timezone)
        return replace(made, shows=replace(made.shows, return_code=False))

    async def _logs(self, _caller: Caller, query: house.LogsQuery) -> Outgoing:
        lines, levels = self._sources.recent.lines, self.levels.views()
        return await asyncio.to_thread(logpage.page, lines, levels, query)

    async def _settings(self, _caller: Caller, _query: house.SettingsQuery) -> Outgoing:
        if self._sources.loaded is None:
            raise refuse(Code.UNAVAILABLE, "This hub was started without a file of settings.")
        return settingspage.page(self._sources.loaded)

    async def _preview(self, caller: Caller, _query: house.PreviewQuery) -> Outgoing:
        return (await self._make(caller)).preview

    async def _make(self, caller: Caller) -> Bundle:
        return await self.desk.make(caller, lambda rows: self._unit(rows, caller))


def is_polled(request: web.Request) -> bool:
    """Whether a page asks this by itself, so that nobody need be there: it says so, or it is of
    the kind that is asked again and again."""
    asks_by_itself = UNATTENDED_HEADER in request.headers
    return asks_by_itself or request.path.endswith("/traffic") or "after" in request.query


BY_PATH: Final[Mapping[str, PageRead]] = {read.path: read for read in READS}


def read_query(read: PageRead, request: web.Request) -> Any:
    """The parameters of a request.  Errors: ``validation``, also for one that comes twice."""
    given: dict[str, Any] = dict(request.match_info)
    for name, value in request.query.items():
        if name in given:
            raise refuse(Code.VALIDATION, f"{name[:40]}: give it once.")
        given[name] = value
    try:
        return read.query.model_validate(given)
    except ValidationError as error:
        raise Refusal(from_validation(error)) from None
