"""What a terminal has done, told by its journal's entries; the truth that hubs are measured by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

How = Literal["approved", "stored", "tokenised", "failed"]
"""``stored``: approved offline and kept here; ``tokenised``: approved offline, and the hub has the
token."""
Name = tuple[str, str, str]
"""Sale system, message category, service id."""
_TAKEN: Final = frozenset({"approved", "stored", "tokenised"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One transaction.  ``amount_minor``: of a refund or reversal what went back, of a payment all
    that the card is charged, ``surcharge_minor`` of it added here, unless ``surcharge_as`` has
    it told as fees that the card isn't charged; ``of``: the payment's service id that it belongs
    to; ``seq``: of those approved offline, without gaps."""

    sale: str
    category: str
    service: str
    payment_id: str
    amount_minor: int
    currency: str
    how: How
    error: str = ""
    refund: bool = False
    of: str = ""
    transaction: str = ""
    stamp: str = ""
    psp_ref: str = ""
    seq: int | None = None
    card: str = ""
    partial: bool = False
    forwarded: Literal["", "approved", "declined"] = ""
    back_minor: int = 0
    surcharge_minor: int = 0
    surcharge_as: str = "surcharge"

    @property
    def name(self) -> Name:
        """How messages refer to it."""
        return self.sale, self.category, self.service

    @property
    def is_payment(self) -> bool:
        """Money comes in."""
        return self.category == "Payment" and not self.refund

    @property
    def waits(self) -> bool:
        """Kept here and not forwarded."""
        return self.how == "stored" and not self.forwarded and self.back_minor == 0

    @property
    def taken_minor(self) -> int:
        """What the shop has of it, or will have, as far as this terminal knows."""
        if not self.is_payment or self.how not in _TAKEN or self.forwarded == "declined":
            return 0
        return self.amount_minor - self.back_minor


class Deeds:
    """All of them; ``take`` is the only way in, for what is new as for what the journal holds."""

    def __init__(self) -> None:
        self._all: dict[Name, Deed] = {}
        self.seq = 0
        self.count = 0

    def __iter__(self) -> Any:
        return iter(self._all.values())

    def get(self, name: Name) -> Deed | None:
        """One."""
        return self._all.get(name)

    def by_transaction(self, transaction: str) -> Deed | None:
        """The payment that a reversal speaks of; by the part before the acquirer's reference."""
        wanted = transaction.partition(".")[0]
        for deed in self._all.values():
            if wanted and deed.transaction.partition(".")[0] == wanted:
                return deed
        return None

    @property
    def waiting(self) -> list[Deed]:
        """Kept here and not forwarded, oldest first."""
        return [deed for deed in self._all.values() if deed.waits]

    def take(self, entry: dict[str, Any]) -> None:
        """An entry of the journal."""
        match entry:
            case {"done": dict(told)}:
                deed = Deed(**told)
                self._all[deed.name] = deed
                self.count += 1
                if deed.seq is not None:
                    assert deed.seq == self.seq + 1, "offline numbers have no gaps"
                    self.seq = deed.seq
                original = self._all.get((deed.sale, "Payment", deed.of))
                if original is not None and deed.how == "approved":
                    back = original.back_minor + deed.amount_minor
                    self._all[original.name] = replace(original, back_minor=back)
            case {"forwarded": [sale, category, service], "as": outcome, "psp_ref": psp_ref}:
                deed = self._all[(sale, category, service)]
                self._all[deed.name] = replace(deed, forwarded=outcome, psp_ref=psp_ref)
            case _:
                raise ValueError(f"no such entry: {sorted(entry)}")


def told(deed: Deed) -> dict[str, Any]:
    """For the admin's ledger."""
    return asdict(deed) | {"taken_minor": deed.taken_minor, "waits": deed.waits}
