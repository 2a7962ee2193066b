"""Entry point of ``python -m cloud_link.payments.conformance``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cloud_link.errors import OmsError
from cloud_link.payments.conformance.adapters import Given, bench_of
from cloud_link.payments.conformance.bench import Cards
from cloud_link.payments.conformance.runner import Result, as_json, as_table, run_checks
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.domain.payments.declines import DeclineCode

_TEXT = """\
Check a processor's adapter: charges once, looks up, captures, lets go, gives back, and says what it
doesn't know.  It moves money of a test account; never use it with a live one.

The secret (the OMS's access token, Stripe's test key) is read from the environment variable
PROCESSOR_SECRET.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m cloud_link.payments.conformance",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--adapter",
        required=True,
        help="oms, stripe, or package.module:function, which is called with URL and secret and"
        " gives an adapter (see cloud_link.payments.processor.Processor)",
    )
    top.add_argument("--url", default="https://api.stripe.com", help="the processor's address")
    top.add_argument("--store", default="", help="oms: the store; without it a scratch store")
    top.add_argument("--ca", type=Path, help="a file with the certificates that are trusted")
    top.add_argument("--currency", default="EUR")
    top.add_argument(
        "--no-keys", action="store_true", help="the other side doesn't know idempotency keys"
    )
    top.add_argument("--good", help="a token that is approved")
    top.add_argument(
        "--declined",
        action="append",
        default=[],
        metavar="TOKEN=CODE",
        help="a token that is declined, and with what; may be repeated",
    )
    top.add_argument("--late", help="a token whose outcome comes later")
    top.add_argument("--json", action="store_true", help="for machines")
    return top


def _given(told: argparse.Namespace) -> Given:
    cards = None
    if told.good is not None:
        pairs = [one.partition("=") for one in told.declined]
        cards = Cards(
            told.good.encode(),
            {token.encode(): DeclineCode(code) for token, _, code in pairs},
            told.late.encode() if told.late else None,
        )
    secret = os.environ.get("PROCESSOR_SECRET", "")
    return Given(
        told.adapter, told.url, secret, told.store, told.ca, told.currency, not told.no_keys, cards
    )


async def _checked(given: Given) -> list[Result]:
    clock, randomness = SystemClock(), SystemRandomness()
    async with bench_of(given, clock, SystemIds(clock, randomness), randomness) as bench:
        return await run_checks(bench)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when every check that could be made is kept, 1 when one failed, 2 when it
    couldn't begin."""
    told = parser().parse_args(arguments)
    try:
        results = asyncio.run(_checked(_given(told)))
    except (ValueError, OSError, ImportError, OmsError) as error:
        sys.stderr.write(f"conformance: {error}\n")
        return 2
    sys.stdout.write((as_json if told.json else as_table)(results) + "\n")
    return 1 if any(one.outcome == "failed" for one in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
