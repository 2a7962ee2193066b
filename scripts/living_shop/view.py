"""What is shown while the shop lives: a screen on a terminal, a line now and then otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.living_shop.tally import Tally

if TYPE_CHECKING:
    from rich.console import RenderableType

_PROBLEMS_SHOWN = 3


@dataclass(slots=True)
class Seen:
    """One look at all parts.  ``status`` is the hub's, ``stats`` the sandbox cloud's; each is empty
    while its part doesn't answer."""

    now_ms: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def link(self) -> str:
        return str(self.status.get("cloud", {}).get("state", "?"))

    @property
    def waiting(self) -> int:
        """Events that the cloud doesn't have yet."""
        return int(self.status.get("outbox", {}).get("depth", 0))

    @property
    def connected(self) -> int:
        """Devices that are there."""
        devices = self.status.get("devices", ())
        return sum(
            device.get("presence") == "ready" and device.get("auth") != "hub" for device in devices
        )

    @property
    def cloud_sales(self) -> str:
        return f"{self.stats['sales']:,}" if "sales" in self.stats else "?"


def money(minor: int, currency: str = "EUR") -> str:
    """``12345`` → ``123.45 EUR``."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02d} {currency}"


def plain_line(tally: Tally, seen: Seen) -> str:
    """All of it in one line."""
    return (
        f"{tally.sales:,} sales, {money(tally.total_minor)}, {tally.per_minute(seen.now_ms)}/min;"
        f" {seen.connected} devices; cloud link {seen.link}, {seen.waiting} events waiting,"
        f" {seen.cloud_sales} sales at the cloud"
    )


def screen(tally: Tally, seen: Seen, address: str) -> RenderableType:
    """The whole view."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    problems = [str(text) for text in seen.status.get("problems", ())][:_PROBLEMS_SHOWN]
    beside = Table.grid(padding=(0, 2))
    beside.add_row(_shop(tally, seen), Group(_tills(tally), _recent(tally)))
    rows: list[RenderableType] = [
        beside,
        *(Text(f"! {text}", style="yellow") for text in problems),
    ]
    return Panel(Group(*rows), title=f"Store Hub: {address}", subtitle="Ctrl-C closes the shop")


def _shop(tally: Tally, seen: Seen) -> RenderableType:
    from rich.table import Table

    today = seen.status.get("sales", {})
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    currency = str(today.get("currency", "EUR"))
    link = seen.link
    for name, value in (
        ("sales per minute", str(tally.per_minute(seen.now_ms))),
        ("sales since start", f"{tally.sales:,}"),
        ("sales today (hub)", f"{today.get('count', 0):,}"),
        ("taken today", money(int(today.get("total_minor", 0)), currency)),
        ("sales at the cloud", seen.cloud_sales),
        ("events waiting", f"{seen.waiting:,}"),
        ("cloud link", f"[green]{link}[/green]" if link == "up" else f"[red]{link}[/red]"),
        ("broker", str(seen.status.get("broker", {}).get("state", "?"))),
        ("returns, voids", f"{tally.counts['return']}, {tally.counts['void']}"),
        ("approvals", str(tally.counts["approval"])),
    ):
        table.add_row(name, value)
    return table


def _tills(tally: Tally) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), title="tills", title_style="dim")
    for name in ("till", "staff", "hub"):
        table.add_column(name)
    table.add_column("sales", justify="right")
    table.add_column("taken", justify="right")
    for name, till in sorted(tally.tills.items()):
        if name:
            taken = money(till.total_minor)
            table.add_row(name, till.staff, till.hub, f"{till.sales:,}", taken)
    return table


def _recent(tally: Tally) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), title="last sales", title_style="dim")
    table.add_column("till")
    table.add_column("lines", justify="right")
    table.add_column("total", justify="right")
    for sale in reversed(tally.recent):
        table.add_row(
            str(sale.get("till")), str(sale.get("lines")), money(int(sale["total_minor"]))
        )
    return table
