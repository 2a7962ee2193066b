"""What a rule refuses, and why.

A refusal is a :class:`DomainError` with a stable ``code`` (the codes of the device contract), a
``detail`` sentence that names the next step, and a ``context`` of JSON values for machines.  The
service layer turns it into problem details (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

_Scalar = str | int | bool | None
Json = _Scalar | list["Json"] | dict[str, "Json"]
"""A JSON value without floats: money and quantities are integers in this shop."""


class Code(StrEnum):
    """What went wrong, for machines: the codes a device may be answered with."""

    VALIDATION = "validation"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    INSUFFICIENT_STOCK = "insufficient-stock"
    EXPOSURE_CAP = "exposure-cap"
    APPROVAL_REQUIRED = "approval-required"
    PRICE_CHANGED = "price-changed"
    HUB_RECOVERY = "hub-recovery"
    CLOCK_SUSPECT = "clock-suspect"
    IDEMPOTENCY_MISMATCH = "idempotency-mismatch"
    IDEMPOTENCY_EXPIRED = "idempotency-expired"
    OUTCOME_UNKNOWN = "outcome-unknown"
    CARD_DATA_REFUSED = "card-data-refused"
    SUPERSEDED = "superseded"
    BUSY = "busy"
    STORAGE_FULL = "storage-full"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too-large"
    UNSUPPORTED_CONTRACT = "unsupported-contract"
    EXPIRED = "expired"


class DomainError(Exception):
    """A rule says no.  ``detail`` ends with what to do next; ``context`` is JSON-able."""

    code: Code = Code.VALIDATION

    def __init__(
        self,
        detail: str,
        *,
        code: Code | None = None,
        context: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(detail)
        if code is not None:
            self.code = code
        self.detail = detail
        self.context: Mapping[str, Json] = MappingProxyType(dict(context or {}))

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Invalid(DomainError):
    """A value is out of its bounds or makes no sense."""

    code = Code.VALIDATION


class Unauthenticated(DomainError):
    """Nobody has proved who they are."""

    code = Code.UNAUTHENTICATED


class Forbidden(DomainError):
    """Not permitted, and no manager's approval on the spot would change that."""

    code = Code.FORBIDDEN


class NotFound(DomainError):
    """There is no such thing here."""

    code = Code.NOT_FOUND


class Conflict(DomainError):
    """Somebody else was first, or the thing has changed since it was read."""

    code = Code.CONFLICT


class InsufficientStock(DomainError):
    """There is not enough uncommitted stock for this."""

    code = Code.INSUFFICIENT_STOCK

    def __init__(self, detail: str, *, sku: str | None, wanted_qty: int, free_qty: int) -> None:
        context: dict[str, Json] = {"wanted_qty": wanted_qty, "free_qty": free_qty}
        if sku is not None:
            context["sku"] = sku
        super().__init__(detail, context=context)
        self.sku = sku
        self.wanted_qty = wanted_qty
        self.free_qty = free_qty


class ApprovalRequired(DomainError):
    """A person with the named permission can allow this on the spot."""

    code = Code.APPROVAL_REQUIRED

    def __init__(self, detail: str, *, permission: str, amount_minor: int | None = None) -> None:
        super().__init__(detail, context={"permission": permission, "amount_minor": amount_minor})
        self.permission = permission
        self.amount_minor = amount_minor


class PriceChanged(DomainError):
    """The till's amount is not the hub's; the hub's is in the context."""

    code = Code.PRICE_CHANGED

    def __init__(self, detail: str, *, expected_minor: int, given_minor: int) -> None:
        context: dict[str, Json] = {"expected_minor": expected_minor, "given_minor": given_minor}
        super().__init__(detail, context=context)
        self.expected_minor = expected_minor
        self.given_minor = given_minor


class CardDataRefused(DomainError):
    """The input holds card data; the value is never part of this error."""

    code = Code.CARD_DATA_REFUSED
