"""A hub with a fault planted: what it was printing when it died it prints again, unasked.

It stands in for the hub where the trial shows that it would see such a thing.
"""

from __future__ import annotations

from typing import Any

from hub.service.handlers import printing
from hub.service.unit import Unit
from hub.storage import printrows


def print_again(unit: Unit, _command: Any) -> int:
    """In the place of :func:`hub.service.handlers.printing.recover_printing`."""
    found = printrows.being_printed(unit.tx)
    for row in found:
        printrows.put_back(unit.tx, row.job_id, "", unit.tx.budget_ms)
    return len(found)


def main() -> None:
    """The hub's own command line."""
    from hub.cli import main as hub_main

    printing.INTERNAL[printing.RecoverPrinting] = print_again
    hub_main()


if __name__ == "__main__":
    main()
