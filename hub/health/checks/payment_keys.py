"""Whether the keys of what is sealed about card payments are on this box: tokens, contacts, and the
copies that a second keeper gives back."""

from __future__ import annotations

from hub.contract.health import Level
from hub.contract.local import PaymentsStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import many


def look(facts: Facts) -> Finding:
    """Critical when money hangs on keys that aren't here; a warning when only contacts do, or the
    keys' file can't be opened and nothing is sealed yet."""
    now = facts.status.payments
    sealed = _sealed(now)
    if sealed:
        return _missing(now, sealed)
    if not now.vault:
        return Finding(
            "warning",
            "The keys of card payments can't be opened.",
            "Selling goes on. What a terminal hands over to the hub can't be kept, nor a customer's"
            " contact.",
            "Put back the setting payments.key or the box.key that they were sealed under, and"
            " start the hub again.",
        )
    return fine("What is sealed about card payments can be read.")


def _sealed(now: PaymentsStatus) -> list[str]:
    """What can't be read for want of a key."""
    tokens = now.keyless if now.vault else now.sealed
    copies = "copy" if now.copies_refused == 1 else "copies"
    parts = (
        (tokens, many(tokens, "stored card payment")),
        (now.keyless_contacts, many(now.keyless_contacts, "customer contact")),
        (now.copies_refused, f"{now.copies_refused} {copies} at the second keeper"),
    )
    return [text for count, text in parts if count]


def _missing(now: PaymentsStatus, sealed: list[str]) -> Finding:
    tokens = now.keyless if now.vault else now.sealed
    money = bool(tokens or now.copies_refused)
    level: Level = "critical" if money else "warning"
    return Finding(
        level,
        f"The key is missing to {' and '.join(sealed)}.",
        "Selling goes on. These payments expire a day after they were made; then the shop is owed"
        " their money."
        if money
        else "Selling goes on. These customers can't be sent a payment link.",
        "Put payments.keys back from the escrow (a box made without it has new keys), and start the"
        " hub again; the runbook page payment-keys has the commands.",
        detail={
            "payments": str(tokens),
            "contacts": str(now.keyless_contacts),
            "copies": str(now.copies_refused),
        },
    )


CHECK = Check(
    "payment-keys",
    "Keys of card payments",
    "Whether what is sealed about card payments can be read: stored payments, contacts, copies.",
    6,
    look,
)
