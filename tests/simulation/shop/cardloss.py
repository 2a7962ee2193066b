"""What a hub that is put back to a copy may not know of card payments, and nothing beyond that.

What the cloud was told comes back.  What nobody else was told is not in the book any more: its sale
(if there was one) counts as paid at a stand-alone terminal, a token that only the lost hub had is
never presented, and money that was taken for nothing is found by the comparison with the
processor's reports.  Whatever is let off is counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from hub.storage.rows import Rows
from tests.simulation.shop.processor import expected_minor

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

OFF: Final = "let off after a restore: "
TOLD_AGAIN: Final = (
    "EXISTS (SELECT 1 FROM payment_steps s WHERE s.payment = p.id AND s.event = 'told')"
)
"""Of a payment ``p`` the cloud knew more than the copy did."""


class CardLoss:
    """``put_back`` at each restore of the hub."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self._last_boot = 0

    def put_back(self) -> None:
        """What former runs of the hub have asked for may be unknown to the coming ones."""
        self._last_boot = self._world.machine("hub").boots

    def is_of_a_lost_hub(self, boot: int) -> bool:
        """Whether a request was sent by a run whose book was replaced since."""
        return boot <= self._last_boot

    def unknown(self) -> set[str]:
        """Payments that were begun at the hub and that a restored one has never heard of."""
        if not self._shop.history.restored:
            return set()
        known = {row[0] for row in self._shop.hub.read(_all)}
        begun = {
            asked.body["payment_id"]
            for asked in self._shop.history.asked.values()
            if asked.operation == "payment/start"
        }
        return begun - known

    def missing_numbers(self, rows: Rows) -> int:
        """How many of the numbers of offline payments may be in no book: those of payments that are
        unknown, and of such as had to come back without theirs."""
        row = rows.one(
            "SELECT count(*) FROM payments p WHERE offline_seq IS NULL AND " + TOLD_AGAIN
        )
        assert row is not None
        return len(self.unknown()) + int(row[0])

    def faults(self) -> list[str]:
        """At rest: what is unknown although somebody knew it, or has cost money twice."""
        unknown = self.unknown()
        if not unknown:
            return []
        found = []
        if "oms restored" not in self._shop.plan.faults:
            found += [
                f"the cloud was told of payment {payment_id}, and the restored hub doesn't know it"
                for payment_id in sorted(unknown & self._told_to_the_cloud())
            ]
        due = expected_minor(self._shop.history, self._shop.terminal_tips(), as_told=True)
        for payment_id in sorted(unknown):
            charge = self._shop.processor.charge_of(payment_id)
            kept_minor = charge.kept_minor if charge is not None else 0
            due_minor = due.get(payment_id, 0)
            if charge is not None and kept_minor not in (0, due_minor, charge.amount_minor):
                found.append(f"payment {payment_id}, which is lost: {kept_minor} is kept")
            match (bool(kept_minor), bool(due_minor)):
                case (True, False):
                    self._count("money without a sale, for the comparison to find")
                case (False, True):
                    self._count("a sale without its money: its token was lost")
                case _:
                    self._count("unknown, and as the sales say")
        return found

    def _told_to_the_cloud(self) -> set[str]:
        events = self._shop.oms.look("SELECT data FROM events WHERE type LIKE '%.payment.%'")
        return {json.loads(data)["payment_id"] for (data,) in events}

    def _count(self, what: str) -> None:
        self._world.count(OFF + what)


def _all(rows: Rows) -> list[tuple[str]]:
    return [(str(row[0]),) for row in rows.all("SELECT payment_id FROM payments")]
