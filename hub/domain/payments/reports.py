"""Settlement reports as processors write them, read into lines of one kind.

A report is CSV with a header (RFC 4180) or JSON: a list of objects, or an object with ``lines``.
The columns are ``kind`` (payment, refund, reversal, fee, chargeback), ``payment_id``, ``psp_ref``,
``amount`` (in whole units with a decimal point) or ``amount_minor``, ``currency`` and ``at`` (ISO
8601 with a zone) or ``at_ms``.  Names that processors use for the same are understood, too.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from hub.domain.errors import Invalid
from hub.domain.money import currency_exponent
from hub.domain.payments.matching import LineKind

REPORT_BYTES_MAX: Final = 32 * 1024 * 1024
LINES_MAX: Final = 100_000
_WRONG_MAX: Final = 5

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "kind": ("kind", "type", "record type", "reporting category", "reporting_category"),
    "payment_id": (
        "payment_id",
        "merchant reference",
        "merchant_reference",
        "payment_metadata[payment_id]",
    ),
    "psp_ref": ("psp_ref", "psp reference", "source_id", "source", "payment_intent_id"),
    "amount_minor": ("amount_minor",),
    "amount": ("amount", "gross", "gross amount"),
    "currency": ("currency", "payment currency"),
    "at_ms": ("at_ms",),
    "at": ("at", "created", "created_utc", "creation date", "booking date", "date"),
}
_KINDS: Final[dict[str, LineKind]] = {
    "payment": LineKind.PAYMENT,
    "charge": LineKind.PAYMENT,
    "settled": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "refunded": LineKind.REFUND,
    "reversal": LineKind.REVERSAL,
    "fee": LineKind.FEE,
    "chargeback": LineKind.CHARGEBACK,
    "dispute": LineKind.CHARGEBACK,
}


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line; ``amount_minor`` is positive whatever its direction, ``at_ms`` UTC."""

    kind: LineKind
    payment_id: str
    psp_ref: str
    amount_minor: int
    currency: str
    at_ms: int


def read_report(content: bytes) -> tuple[ReportLine, ...]:
    """All lines of a report.  Errors: :class:`Invalid` that names the first lines that can't be
    read; nothing is taken of such a report."""
    if len(content) > REPORT_BYTES_MAX:
        raise Invalid(f"The report is larger than {REPORT_BYTES_MAX >> 20} MiB: split it by days.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The report isn't UTF-8: export it as CSV (UTF-8) or JSON.") from None
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)
    if not rows:
        raise Invalid("The report has no lines: export the settled transactions of the day.")
    if len(rows) > LINES_MAX:
        raise Invalid(f"The report has more than {LINES_MAX} lines: split it by days.")
    found, wrong = [], []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_line(row))
        except Invalid as error:
            wrong.append(f"line {number}: {error.detail}")
            if len(wrong) == _WRONG_MAX:
                break
    if wrong:
        raise Invalid("The report can't be read. " + " ".join(wrong))
    return tuple(found)


def _csv_rows(text: str) -> list[dict[str, Any]]:
    first = text.split("\n", 1)[0]
    comma = max((",", ";", "\t"), key=first.count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=comma, strict=True))
    except csv.Error as error:
        raise Invalid(f"The report is no CSV ({error}).") from None


def _json_rows(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Invalid("The report is no JSON: export it again.") from None
    if isinstance(found, dict):
        found = found.get("lines")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Invalid('A report in JSON is a list of objects, or an object with "lines".')
    return found


def _line(row: dict[str, Any]) -> ReportLine:
    plain = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    given = {
        ours: next((plain[name] for name in names if plain.get(name) not in (None, "")), None)
        for ours, names in _NAMES.items()
    }
    kind = _KINDS.get(str(given["kind"] or "").strip().lower())
    if kind is None:
        raise Invalid(f"no kind of line: {str(given['kind'])[:40]!r}.")
    currency = str(given["currency"] or "").strip().upper()
    return ReportLine(
        kind=kind,
        payment_id=str(given["payment_id"] or "").strip().lower()[:64],
        psp_ref=str(given["psp_ref"] or "").strip()[:100],
        amount_minor=_amount(given, currency),
        currency=currency,
        at_ms=_instant(given),
    )


def _amount(given: dict[str, Any], currency: str) -> int:
    minor, whole = given["amount_minor"], given["amount"]
    try:
        if minor is not None:
            amount = Decimal(str(minor).strip())
        else:
            amount = Decimal(str(whole).strip()).scaleb(currency_exponent(currency))
    except InvalidOperation:
        raise Invalid(f"no amount: {str(minor if minor is not None else whole)[:40]!r}.") from None
    if not amount.is_finite() or amount != int(amount) or abs(amount) >= 10**15:
        raise Invalid(f"{str(amount)[:40]} minor units of {currency} are no amount.")
    return abs(int(amount))


def _instant(given: dict[str, Any]) -> int:
    try:
        if given["at_ms"] is not None:
            return int(str(given["at_ms"]))
        moment = datetime.fromisoformat(str(given["at"] or "").strip())
    except ValueError:
        raise Invalid(f"no instant: {str(given['at_ms'] or given['at'])[:40]!r}.") from None
    if moment.tzinfo is None:
        raise Invalid(f"{str(given['at'])[:40]!r} has no time zone: use UTC with Z.")
    return int(moment.timestamp() * 1000)
