"""A whole shop for tests of the whole hub: its real processes, its devices, its books.

One :class:`Box` is a sandbox OMS and a hub as processes in a short directory, both on ports that
stay the same over restarts.  ``picture`` is what must not change when something is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import aiohttp

from cloud_link.sandbox import demo
from devices.kit import ClientBounds, DeviceMeta, HubClient, IdentityStore, PairingLink, pair
from hub.clock import SystemRandomness
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.staff import SignedIn, SignIn
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from scripts.rig import OmsAdmin, Ports, ShopRig
from tests.support.loopthreads import threads_first
from tests.support.nursery import BornChild, born
from tests.support.rawmqtt import Login, Raw, raw_device

STORE = "367"
SKUS = 40
DATASETS = frozenset({"catalog", "prices", "taxes", "staff"})
UNTIL_S = 80.0
HUB = "import sys; from hub.cli import main; sys.exit(main())"
MANY = """
import contextlib, io, json, sys
from hub.cli import root

for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as told:
        root.main(arguments, prog_name="store-hub", standalone_mode=False)
    print(json.dumps(json.loads(told.getvalue())))
"""
CASHIER, SECOND, SUPERVISOR, MANAGER = ((row[0], row[3]) for row in demo.DEMO_STAFF)

Sections = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Goods:
    """A product sold by the piece."""

    sku: str
    gtin: str
    price_minor: int


GOODS = tuple(
    Goods(row["sku"], row["barcodes"][0], price_minor)
    for row, price_minor in demo.products(SKUS)
    if row["scale"] == 0 and row["age_min"] is None
)

_QUIET = frozenset(
    # What a refusal or the passing of time may write.
    {"requests", "hub", "devices", "lockouts", "outbox", "streams", "sqlite_sequence"}
    | {"history_minutes", "history_quarters", "link_changes", "outages", "return_keys"}
)
_QUIET_ROWS = {
    # The hub tells the cloud its key for return codes, which comes back as a policy.
    "datasets": "dataset <> 'policies'",
    "policies": "key NOT LIKE 'return_keys.%'",
}


class Box:
    """Use :func:`open_box`."""

    def __init__(self, rig: ShopRig, *, cloud: bool) -> None:
        self.rig = rig
        self.cloud = cloud
        self._pairs = 0

    # -- processes -----------------------------------------------------------------------------

    async def start(self) -> None:
        """The OMS (where there is one), the hub, and its data sets."""
        if self.cloud and not self.rig.oms.alive:
            await self.rig.start_oms()
        await self.start_hub()
        if self.cloud:
            await self.until(self._has_datasets)

    async def start_hub(self) -> None:
        await self.rig.start_hub()

    async def stop_hub(self) -> None:
        assert await self.rig.stop_hub(), f"the hub had to be killed:\n{self.rig.hub.tail()}"

    async def status(self) -> dict[str, Any]:
        return await self.rig.admin.status()

    async def until(self, what: Callable[[], Any], *, timeout_s: float = UNTIL_S) -> Any:
        """Look (also asynchronously) until there is something; its log explains a failure."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    found = what()
                    if asyncio.iscoroutine(found):
                        found = await found
                    if found:
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"it never came; the hub says:\n{self.rig.hub.tail()}") from None

    async def _has_datasets(self) -> bool:
        return bool((await self.status())["cloud"]["datasets"].keys() >= DATASETS)

    # -- devices -------------------------------------------------------------------------------

    async def pair(
        self, *, kind: str = "till", name: str = "", auth: Literal["mtls", "password"] = "mtls"
    ) -> IdentityStore:
        """A new device with its own folder."""
        link = PairingLink.parse(await self.rig.admin.open_pairing(name, kind))
        self._pairs += 1
        store = IdentityStore(self.rig.tills / f"{self._pairs:02d}")
        await pair(
            store,
            host=link.host,
            port=link.port,
            ca_fingerprint=link.fingerprint,
            code=link.code,
            auth=auth,
        )
        return store

    @contextlib.asynccontextmanager
    async def client(
        self, store: IdentityStore, person: tuple[str, str] | None = CASHIER
    ) -> AsyncIterator[HubClient]:
        """The device library on that device; ``person`` is signed in."""
        meta = DeviceMeta(kind="till", model="test till", firmware="1")
        async with HubClient(store, meta, bounds=ClientBounds()) as hub:
            if person is not None:
                await sign_in(hub, person)
            yield hub

    def login(self, store: IdentityStore, **changed: Any) -> Login:
        """How that device gets in with a client of its own."""
        identity = store.load()
        mtls = identity.auth == "mtls"
        login = Login(
            identity.device_id,
            identity.mqtt_port,
            store.tls_context(with_certificate=mtls),
            None if mtls else identity.password,
        )
        return replace(login, **changed)

    @contextlib.asynccontextmanager
    async def raw(self, store: IdentityStore, **changed: Any) -> AsyncIterator[Raw]:
        """A stranger's MQTT client on that device, connected."""
        async with raw_device(self.login(store, **changed), self.rig.store) as raw:
            assert await raw.outcome == "Success"
            yield raw

    async def stock_up(self, hub: HubClient, qty: int = 1000) -> None:
        """Every product of :data:`GOODS` onto the shelf."""
        lines = tuple(ReceivedLine(sku=one.sku, qty=qty) for one in GOODS)
        command = ReceiveStock(receipt_id=hub.ids.uuid7(), reference="test", lines=lines)
        await hub.submit(command, StockBooked)

    # -- HTTPS ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.rig.ports.https}"

    @contextlib.asynccontextmanager
    async def https(self, trust: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=trust)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as http:
            yield http

    # -- books ---------------------------------------------------------------------------------

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the hub's database from outside."""
        return read_rows(self.rig.hub_database, sql, *values)

    def write(self, sql: str, *values: object) -> None:
        """Tamper with the hub's database from outside."""
        with contextlib.closing(sqlite3.connect(self.rig.hub_database, timeout=60)) as db, db:
            db.execute(sql, values)

    def oms_rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return read_rows(self.rig.oms_database, sql, *values)

    def picture(self) -> str:
        """A hash of all the hub's books: everything but presence, clocks and remembered replies."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        names = [name for (name,) in tables if name not in _QUIET]
        content: dict[str, Any] = {
            name: [
                repr(row)
                for row in self.rows(
                    f"SELECT * FROM {name} WHERE {_QUIET_ROWS.get(name, 'true')} ORDER BY 1, 2"
                )
            ]
            for name in names
        }
        content["told"] = self.rows(
            "SELECT stream, event_id, type, data FROM outbox WHERE stream <> 'telemetry'"
            " AND type NOT LIKE '%.return_key.%' ORDER BY id"
        )
        content["who"] = self.rows(
            "SELECT device_id, name, kind, auth, status, receipt_count FROM devices ORDER BY 1"
        )
        return sha256(repr(content).encode()).hexdigest()

    def sales(self) -> dict[str, int]:
        """Sale ids and totals of the hub."""
        return dict(self.rows("SELECT sale_id, total_minor FROM sales"))

    def oms_sales(self) -> dict[str, int]:
        return dict(self.oms_rows("SELECT sale_id, total_minor FROM sales"))

    async def told_all(self) -> None:
        """Wait until the cloud has everything that the hub wrote down."""
        waiting = "SELECT count(*) FROM streams WHERE acked_seq < head_seq"
        await self.until(lambda: self.rows(waiting) == [(0,)])

    async def same_as_cloud(self) -> None:
        """Hub and OMS agree on every sale and every level, once everything is told."""
        await self.told_all()
        assert self.sales() == self.oms_sales()
        assert levels_of(self) == oms_levels_of(self)

    # -- the command line ----------------------------------------------------------------------

    async def cli(
        self, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None
    ) -> str:
        """Standard output of ``store-hub ARGUMENTS`` (and its errors, when ``code`` isn't 0)."""
        config = str(self.rig.config_file)
        return await self._run(HUB, "--config", config, *arguments, code=code, more=environment)

    async def cli_each(self, *commands: Sequence[str]) -> list[Any]:
        """What each of them answers to ``--json``, one after the other in one process."""
        config = str(self.rig.config_file)
        whole = [["--config", config, *words, "--json"] for words in commands]
        return [
            json.loads(line) for line in (await self._run(MANY, json.dumps(whole))).splitlines()
        ]

    async def _run(
        self, program: str, *arguments: str, code: int = 0, more: Mapping[str, str] | None = None
    ) -> str:
        with tempfile.TemporaryFile() as errors:
            process = await born(
                ("-c", program, *arguments),
                stderr=errors.fileno(),
                environment={**os.environ, **(more or {})},
                folder=Path.cwd(),
            )
            async with asyncio.timeout(120):
                out = await process.stdout.read()
                await process.wait()
            errors.seek(0)
            err = errors.read()
        assert process.returncode == code, (arguments, process.returncode, out, err)
        return out.decode() + (err.decode() if code else "")

    async def cli_json(self, *arguments: str) -> Any:
        return json.loads(await self.cli(*arguments, "--json"))


def read_rows(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a database that another process has open."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql, values).fetchall()


def levels_of(box: Box) -> dict[str, int]:
    """What is on the shelf, by the hub."""
    sql = "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id"
    return {sku: qty for sku, qty in box.rows(sql) if qty}


def oms_levels_of(box: Box) -> dict[str, int]:
    """The same by the cloud."""
    sql = "SELECT sku, qty FROM levels WHERE store = ? AND bucket = 'sellable'"
    return {sku: qty for sku, qty in box.oms_rows(sql, box.rig.store) if qty}


async def sign_in(hub: HubClient, person: tuple[str, str] = CASHIER) -> SignedIn:
    command = SignIn.model_validate({"staff_id": person[0], "pin": person[1]})
    return await hub.request(command, SignedIn, until_answered=True)


def sale_of(
    sale_id: str, goods: Goods = GOODS[0], qty: int = 1, tenders: Sequence[Tender] | None = None
) -> CommitSale:
    """A sale of one product for cash."""
    total = goods.price_minor * qty
    return CommitSale(
        sale_id=sale_id,
        lines=(SaleLine(code=goods.sku, qty=qty, unit_price_minor=goods.price_minor),),
        total_minor=total,
        tenders=tuple(tenders or (Tender(kind="cash", amount_minor=total),)),
    )


async def sell(hub: HubClient, goods: Goods = GOODS[0], qty: int = 1) -> SaleDone:
    """Sell and keep it in the device's journal until it is safe."""
    return await hub.submit(sale_of(hub.ids.uuid7(), goods, qty), SaleDone)


@contextlib.asynccontextmanager
async def open_box(
    *, cloud: bool = True, settings: Sections | None = None, started: bool = True
) -> AsyncIterator[Box]:
    """A shop in a directory of its own; everything is stopped and removed afterwards."""
    threads_first()
    base = Path(tempfile.mkdtemp(prefix="shb-", dir="/tmp"))
    more: dict[str, dict[str, object]] = {
        "cloud": {"linger_ms": 20, "retry_max_s": 1, "dataset_every_s": 5},
        "log": {"format": "text"},
    }
    if not cloud:
        del more["cloud"]
    for section, fields in (settings or {}).items():
        more.setdefault(section, {}).update(fields)
    oms = ("--seed-demo", "--skus", str(SKUS))
    rig = (ShopRig if cloud else LonelyRig)(
        base, STORE, Ports.choose(SystemRandomness()), settings=more, oms_arguments=oms
    )
    rig.hub, rig.oms = (BornChild.instead_of(one) for one in (rig.hub, rig.oms))
    try:
        async with rig:
            box = Box(rig, cloud=cloud)
            if started:
                await box.start()
            yield box
    finally:
        shutil.rmtree(base, ignore_errors=True)
        shutil.rmtree(rig.run_dir, ignore_errors=True)


class LonelyRig(ShopRig):
    """A shop without a cloud."""

    def write_config(self) -> None:
        super().write_config()
        text = self.config_file.read_text()
        head, _, rest = text.partition("[cloud]\n")
        _, bracket, tail = rest.partition("\n[")
        self.config_file.write_text(head + (f"[{tail}" if bracket else ""))


def admin_of(rig: ShopRig) -> OmsAdmin:
    """The sandbox's own calls."""
    return rig.oms_admin
