"""The kinds of proof, what starts each, and how the time is shared among them.

A kind is a program that prints JSON lines: one object at least every few seconds, with ``kind``,
``trials``, ``unit``, ``faults`` (counters), ``violations`` and ``note``; the last one has
``"done": true``, ``findings`` (``what``, ``replay``), ``figures`` and ``must_fire`` (counters that
have to be above zero).  It ends by itself soon after ``--seconds``.
"""

from __future__ import annotations

from dataclasses import dataclass

SEEDS_MIN = 500
MUTANTS_MIN = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """``share``: of its lane's time, never less than ``least_s``.  ``optional``: may be impossible
    on this machine, and says so in its note."""

    name: str
    what: str
    module: str
    arguments: tuple[str, ...] = ()
    share: float = 1.0
    least_s: float = 0.0
    optional: bool = False


THINKING = (
    Kind(
        "mutants",
        "planted bugs, each of which the simulation has to find",
        "tests.simulation.mutants",
        ("--jobs", "2"),
        share=0.3,
    ),
    Kind(
        "simulation",
        "whole shops on virtual time, every kind of fault, one seed each",
        "tests.simulation",
        ("--jobs", "2", "--days", "1"),
        share=0.7,
    ),
)
"""Needs processor time only."""

TOUCHING = (
    Kind(
        "killing",
        "SIGKILL to the real hub, broker and cloud while tills sell",
        "scripts.killing",
        ("--against", "thingsboard"),
        share=0.42,
        least_s=150.0,
    ),
    Kind(
        "power-cut",
        "the power fails between any two writes; NORMAL has to lose sales",
        "tests.storage.powercut",
        share=0.14,
    ),
    Kind(
        "nth-io",
        "the nth operation on the disk fails, for every n",
        "tests.storage.nthio",
        share=0.10,
    ),
    Kind(
        "openapi",
        "requests drawn from the published HTTP contracts of hub and cloud",
        "tests.fuzz.openapi",
        share=0.10,
    ),
    Kind("parsers", "bytes drawn for every parser", "tests.fuzz.parsers", share=0.12),
    Kind(
        "slow-clients",
        "connections that say nothing, or too little",
        "tests.fuzz.slow_clients",
        share=0.05,
        least_s=130.0,
    ),
    Kind(
        "doors",
        "every cell of the access matrix, full disks, card numbers everywhere",
        "scripts.campaigns.doors",
        share=0.07,
    ),
)
"""Needs real processes, sockets and disks."""

LANES = (THINKING, TOUCHING)
KINDS = {kind.name: kind for lane in LANES for kind in lane}
