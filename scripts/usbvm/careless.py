"""A hub with a fault planted: a job whose printer was unplugged in the middle it prints again.

It stands in for the hub where the trial shows that it would see such a thing.
"""

from __future__ import annotations

from devices.peripherals.drivers import escpos_printer
from devices.peripherals.model import Ended, Outcome


def not_begun(_sending: object, reason: str) -> Ended:
    """In the place of the driver's own end of a job that was broken off."""
    return Ended(Outcome.NOT_BEGUN, reason)


def main() -> None:
    """The hub's own command line."""
    from hub.cli import main as hub_main

    escpos_printer._Sending._ended = not_begun  # type: ignore[assignment, method-assign]
    hub_main()


if __name__ == "__main__":
    main()
