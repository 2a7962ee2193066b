"""Which figures there are, and who measures them."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scripts.benchmarks.bench import Bench


@dataclass(frozen=True, slots=True)
class Family:
    """Figures that share their preparation.  ``full_only``: too long for the quick form."""

    about: str
    module: str
    names: tuple[str, ...]
    function: str = "run"
    full_only: bool = False

    def load(self) -> Callable[[Bench], Awaitable[None]]:
        """What measures it; imported only when it is needed."""
        found: Callable[[Bench], Awaitable[None]] = getattr(
            importlib.import_module(f"scripts.benchmarks.{self.module}"), self.function
        )
        return found


_SALES = ("store", "sale")
_UPLINK = ("uplink.cpu", "uplink.sale")
FAMILIES = (
    Family(
        "durable sales, storage alone and whole gate",
        "commits",
        tuple(f"{kind}.{clients}" for kind in _SALES for clients in (1, 10, 50, 200)),
    ),
    Family(
        "the same on a slow disk",
        "commits",
        tuple(f"{kind}.{clients}.slow" for kind in _SALES for clients in (1, 10, 50, 200)),
        "run_slow",
    ),
    Family(
        "a sale from a till over MQTT", "sales", ("till.latency", "till.cpu", "till.throughput")
    ),
    Family("sixteen tills, slow disk", "sales", ("till.throughput.slow",), "run_slow", True),
    Family(
        "a scan in a large catalogue; catalogues of several sizes",
        "lookups",
        ("lookup.p99", "growth.lookup"),
    ),
    Family("a scan from a scanner at the hub to its till", "scans", ("scan.latency", "scan.p99")),
    Family("a sale to its receipt's first byte", "printing", ("print.latency", "print.p99")),
    Family("a sale paid by card", "cards", ("card.latency", "card.p99")),
    Family("years of sales, a long outage", "growth", ("growth.commit", "growth.outbox")),
    Family("selling during an import", "imports", ("import.sale",)),
    Family("events to the cloud, selling while an outage drains", "uplink", _UPLINK),
    Family(
        "sale to cloud, cloud to till",
        "freshness",
        tuple(f"link.{what}.{pace}" for what in ("sale", "notice") for pace in ("calm", "peak")),
    ),
    Family("start and memory", "daemon", ("daemon.ready", "daemon.memory")),
    Family(
        "one to three hundred devices",
        "crowd",
        ("crowd.cpu", "crowd.p99", "crowd.sales"),
        full_only=True,
    ),
    Family("simulated shops", "trials", ("simulation.days",), "run_simulation"),
    Family(
        "what a shop would use instead: durable queues",
        "queues",
        tuple(
            f"instead.{kind}.{clients}"
            for kind in ("persist-queue", "huey", "procrastinate")
            for clients in (1, 10)
        ),
    ),
    Family(
        "what a shop would use instead: another gateway's storage at kill -9",
        "trials",
        ("instead.thingsboard",),
        "run_kills",
        full_only=True,
    ),
)
ALL_NAMES = tuple(name for family in FAMILIES for name in family.names)


def chosen(patterns: tuple[str, ...], *, quick: bool) -> frozenset[str]:
    """The figures that ``patterns`` name, exactly or by their beginning up to a dot; without any,
    all that the form of the run has.  Errors: ValueError naming what is unknown."""
    if not patterns:
        return frozenset(
            name for one in FAMILIES if not (quick and one.full_only) for name in one.names
        )
    found: set[str] = set()
    for pattern in patterns:
        named = {name for name in ALL_NAMES if name == pattern or name.startswith(f"{pattern}.")}
        if not named:
            raise ValueError(f"there is no figure {pattern}; --list shows them all")
        found |= named
    return frozenset(found)
