"""Errors on the wire: RFC 9457 problem details with the hub's own code.

A code's row says its HTTP status, its title, and whether repeating the same request (with the same
key) can succeed.  Refusals that are not retryable are remembered with the idempotency key: a late
duplicate of a refused request stays refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from hub.contract.base import Outgoing
from hub.domain.errors import Code

__all__ = [
    "MEANINGS",
    "ApprovalNeeded",
    "Code",
    "Meaning",
    "Problem",
    "Refusal",
    "problem",
    "refuse",
]


@dataclass(frozen=True, slots=True)
class Meaning:
    """The fixed part of a code: HTTP status, title, and whether a repeat can succeed."""

    status: int
    title: str
    retryable: bool = False


MEANINGS: dict[Code, Meaning] = {
    Code.VALIDATION: Meaning(422, "The request is not well formed"),
    Code.UNAUTHENTICATED: Meaning(401, "Nobody is signed in on this device"),
    Code.FORBIDDEN: Meaning(403, "This is not permitted"),
    Code.NOT_FOUND: Meaning(404, "There is no such thing here"),
    Code.CONFLICT: Meaning(409, "It has changed meanwhile"),
    Code.INSUFFICIENT_STOCK: Meaning(409, "There is not enough free stock"),
    Code.EXPOSURE_CAP: Meaning(409, "The cap on offline payments is reached"),
    Code.APPROVAL_REQUIRED: Meaning(403, "A manager has to approve this"),
    Code.PRICE_CHANGED: Meaning(409, "The price is another one"),
    Code.HUB_RECOVERY: Meaning(503, "The hub is recovering", retryable=True),
    Code.CLOCK_SUSPECT: Meaning(503, "The hub's clock can't be trusted", retryable=True),
    Code.IDEMPOTENCY_MISMATCH: Meaning(422, "This key was used for another request"),
    Code.IDEMPOTENCY_EXPIRED: Meaning(422, "This key is too old"),
    Code.OUTCOME_UNKNOWN: Meaning(503, "It is not known whether this was stored", retryable=True),
    Code.CARD_DATA_REFUSED: Meaning(422, "Card data is never accepted here"),
    Code.SUPERSEDED: Meaning(409, "Another box has taken this hub's place"),
    Code.BUSY: Meaning(429, "The hub is busy", retryable=True),
    Code.STORAGE_FULL: Meaning(507, "The hub's disk is full", retryable=True),
    Code.UNAVAILABLE: Meaning(503, "This can't be reached just now", retryable=True),
    Code.TOO_LARGE: Meaning(413, "The message is too large"),
    Code.UNSUPPORTED_CONTRACT: Meaning(422, "This contract version is not spoken here"),
    Code.EXPIRED: Meaning(410, "The request arrived after its time"),
}


class ApprovalNeeded(Outgoing):
    """Which permission a manager has to lend, for ``approval-required``."""

    permission: str
    amount_minor: int | None = None


class Problem(Outgoing):
    """RFC 9457 problem details.  ``detail`` says what to do next; ``context`` gives the facts."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    code: Code
    retryable: bool = False
    retry_after_ms: int | None = None
    approval: ApprovalNeeded | None = None
    context: dict[str, Any] = Field(default_factory=dict)


def problem(
    code: Code,
    detail: str,
    *,
    retry_after_ms: int | None = None,
    approval: ApprovalNeeded | None = None,
    context: dict[str, Any] | None = None,
    instance: str | None = None,
) -> Problem:
    """The problem of ``code`` with its fixed title and status."""
    meaning = MEANINGS[code]
    return Problem(
        type=f"urn:store-hub:problem:{code}",
        title=meaning.title,
        status=meaning.status,
        detail=detail,
        instance=instance,
        code=code,
        retryable=meaning.retryable,
        retry_after_ms=retry_after_ms,
        approval=approval,
        context=context or {},
    )


class Refusal(Exception):
    """Raised to end a request with a problem as its answer."""

    def __init__(self, answer: Problem) -> None:
        super().__init__(f"{answer.code}: {answer.detail}")
        self.problem = answer


def refuse(code: Code, detail: str, **context: Any) -> Refusal:
    """A refusal to raise: ``raise refuse(Code.NOT_FOUND, "…", sku=sku)``."""
    return Refusal(problem(code, detail, context=context))
