"""The sandbox's processor: charges, captures and refunds, durable and each once; faults on request.

The processor is another party than the OMS: what it did survives the OMS's restore from a backup.
``payment_effects`` is the money that really moved, for whoever wants to compare.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from hub.contract.base import Incoming
from hub.contract.oms import OmsCode
from hub.contract.oms_payments import (
    DeclineWord,
    PaymentCharge,
    PaymentEffect,
    PaymentRefund,
    PaymentRefundReply,
    PaymentReply,
)

from .commands import append_command
from .links import LINK_SCHEMA, LINK_TABLE
from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

M = TypeVar("M", bound=BaseModel)
Rate = Annotated[float, Field(ge=0, le=1)]
SCHEMAS = (
    """
CREATE TABLE IF NOT EXISTS payments (
    store         TEXT NOT NULL,
    payment_id    TEXT NOT NULL,
    charge_key    TEXT NOT NULL,
    status        TEXT NOT NULL,
    amount_minor  INTEGER NOT NULL,
    currency      TEXT NOT NULL,
    psp_ref       TEXT NOT NULL,
    approval_code TEXT NOT NULL,
    code          TEXT NOT NULL,
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    due_at_ms     INTEGER,
    PRIMARY KEY (store, payment_id)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS payment_keys (
    store   TEXT NOT NULL,
    key     TEXT NOT NULL,
    request TEXT NOT NULL,
    reply   TEXT NOT NULL,
    PRIMARY KEY (store, key)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS payment_refunds (
    store        TEXT NOT NULL,
    payment_id   TEXT NOT NULL,
    key          TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    psp_ref      TEXT NOT NULL,
    PRIMARY KEY (store, payment_id, key)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS payment_effects (
    n            INTEGER PRIMARY KEY,
    store        TEXT NOT NULL,
    payment_id   TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('charge', 'capture', 'reversal', 'refund')),
    amount_minor INTEGER NOT NULL,
    psp_ref      TEXT NOT NULL
) STRICT
""",
    LINK_SCHEMA,
)
TABLES = ("payments", "payment_keys", "payment_refunds", "payment_effects", LINK_TABLE)
STANDS = ("pending", "approved", "captured")
_TOLD = re.compile(rb"decline-([a-z-]+)|late")


class PaymentFaults(Incoming):
    """``POST /sandbox/payments/faults``: replaces what was set before; ``{}`` is good behaviour.

    ``decline_from_minor``: charges of so much or more are declined with ``decline_code``; a token
    that holds ``decline-CODE`` always is.  ``late_ms``: the outcome of a charge is told so much
    later by ``payment.outcome``, as it is (a second later) for a token that holds ``late``.
    ``forget_keys``: keys are forgotten at once, and a payment is charged as often as it is sent.
    ``error_after_rate``: the work is done and 503 answered.
    """

    decline_from_minor: Annotated[int, Field(strict=True, ge=1)] | None = None
    decline_code: DeclineWord = "insufficient-funds"
    late_ms: Annotated[int, Field(strict=True, ge=0, le=86_400_000)] = 0
    forget_keys: bool = False
    error_after_rate: Rate = 0.0
    seed: int = 0


class Bank:
    """One request's view of the processor."""

    def __init__(self, db: Connection, store: str, faults: PaymentFaults, now_ms: int) -> None:
        self._db = db
        self._store = store
        self._faults = faults
        self._now_ms = now_ms

    # Calls ---------------------------------------------------------------------------------------

    def charge(self, asked: PaymentCharge, token: bytes) -> PaymentReply:
        """Authorise.  Errors: ``conflict`` for a key of something else."""
        return self._once(asked.key, asked, PaymentReply, lambda: self._charge(asked, token))

    def look_up(self, payment_id: str) -> PaymentReply:
        """Errors: ``not-found``."""
        found = self._find(payment_id)
        if found is None:
            raise refuse(OmsCode.NOT_FOUND, "There is no such payment here.")
        return found

    def capture(self, payment_id: str, asked: PaymentEffect) -> PaymentReply:
        """Take what is approved; anything else is answered as it stands."""
        return self._once(
            asked.key,
            (payment_id, "capture"),
            PaymentReply,
            lambda: self._moved(payment_id, "capture", "captured"),
        )

    def reverse(self, payment_id: str, asked: PaymentEffect) -> PaymentReply:
        """Let go of what is approved; anything else is answered as it stands."""
        return self._once(
            asked.key,
            (payment_id, "reversal"),
            PaymentReply,
            lambda: self._moved(payment_id, "reversal", "reversed"),
        )

    def refund(self, payment_id: str, asked: PaymentRefund) -> PaymentRefundReply:
        """Give back; declined beyond what was captured.  Errors: ``not-found``."""
        return self._once(
            asked.key,
            (payment_id, asked.model_dump_json()),
            PaymentRefundReply,
            lambda: self._refund(payment_id, asked),
        )

    def look_up_refund(self, payment_id: str, key: str) -> PaymentRefundReply:
        """Errors: ``not-found``."""
        row = self._db.execute(
            "SELECT r.amount_minor, r.psp_ref, p.currency FROM payment_refunds r"
            " JOIN payments p USING (store, payment_id)"
            " WHERE r.store=? AND r.payment_id=? AND r.key=?",
            (self._store, payment_id, key),
        ).fetchone()
        if row is None:
            raise refuse(OmsCode.NOT_FOUND, "There is no such refund here.")
        return PaymentRefundReply(
            payment_id=payment_id,
            key=key,
            status="refunded",
            amount_minor=row[0],
            currency=row[2],
            psp_ref=row[1],
        )

    def settle(self, make_id: Callable[[], str]) -> int:
        """End what is due to be told late; how many."""
        due = self._db.execute(
            "SELECT payment_id, code FROM payments WHERE store=? AND status='pending'"
            " AND due_at_ms<=? ORDER BY payment_id LIMIT 200",
            (self._store, self._now_ms),
        ).fetchall()
        for payment_id, code in due:
            status = "declined" if code else "approved"
            self._set(payment_id, status)
            if not code:
                self._note(payment_id, "charge")
            found = self.look_up(payment_id)
            told = found.model_dump(include={"payment_id", "psp_ref", "approval_code", "code"})
            told |= {} if code else {"approved_minor": found.amount_minor}
            append_command(
                self._db,
                self._store,
                make_id(),
                "payment.outcome",
                {**told, "status": status},
                self._now_ms,
            )
        return len(due)

    # How -----------------------------------------------------------------------------------------

    def _once(self, key: str, asked: Any, model: type[M], work: Callable[[], M]) -> M:
        if self._faults.forget_keys:
            return work()
        plain = asked.model_dump_json() if isinstance(asked, BaseModel) else json.dumps(asked)
        request = hashlib.sha256(plain.encode()).hexdigest()  # a token is not kept
        known = self._db.execute(
            "SELECT request, reply FROM payment_keys WHERE store=? AND key=?", (self._store, key)
        ).fetchone()
        if known is not None:
            if known[0] != request:
                raise refuse(OmsCode.CONFLICT, "This key was used for something else.")
            return model.model_validate_json(known[1])
        answer = work()
        self._db.execute(
            "INSERT INTO payment_keys VALUES (?, ?, ?, ?)",
            (self._store, key, request, answer.model_dump_json()),
        )
        return answer

    def _charge(self, asked: PaymentCharge, token: bytes) -> PaymentReply:
        before = self._find(asked.payment_id)
        if before is not None and before.status in STANDS and not self._faults.forget_keys:
            return before
        code, late_ms = self._verdict(asked, token)
        status = "pending" if late_ms else ("declined" if code else "approved")
        self._db.execute(
            "INSERT OR REPLACE INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                self._store,
                asked.payment_id,
                asked.key,
                status,
                asked.amount_minor,
                asked.currency,
                self._psp_ref(),
                "" if code else f"A{hashlib.sha256(asked.key.encode()).hexdigest()[:5].upper()}",
                code,
                self._now_ms + late_ms if late_ms else None,
            ),
        )
        if status == "approved":
            self._note(asked.payment_id, "charge")
        return self.look_up(asked.payment_id)

    def _verdict(self, asked: PaymentCharge, token: bytes) -> tuple[str, int]:
        """``(decline code or empty, how late it is told)``."""
        faults, code, late_ms = self._faults, "", self._faults.late_ms
        if faults.decline_from_minor and asked.amount_minor >= faults.decline_from_minor:
            code = faults.decline_code
        for told in _TOLD.finditer(token):
            if told[1]:
                code = told[1].decode()
            else:
                late_ms = late_ms or 1000
        return code, late_ms

    def _moved(self, payment_id: str, kind: str, status: str) -> PaymentReply:
        found = self.look_up(payment_id)
        if found.status != "approved":
            return found
        self._set(payment_id, status)
        self._note(payment_id, kind)
        return self.look_up(payment_id)

    def _refund(self, payment_id: str, asked: PaymentRefund) -> PaymentRefundReply:
        found = self.look_up(payment_id)
        (refunded,) = self._db.execute(
            "SELECT refunded_minor FROM payments WHERE store=? AND payment_id=?",
            (self._store, payment_id),
        ).fetchone()
        whole = refunded + asked.amount_minor
        good = found.status == "captured" and found.currency == asked.currency
        if not good or whole > found.amount_minor:
            return PaymentRefundReply(
                payment_id=payment_id,
                key=asked.key,
                status="declined",
                amount_minor=asked.amount_minor,
                currency=asked.currency,
                reason=f"It is {found.status}, and {refunded} of {found.amount_minor}"
                f" {found.currency} are given back.",
            )
        psp_ref = self._psp_ref()
        self._db.execute(
            "INSERT OR REPLACE INTO payment_refunds VALUES (?, ?, ?, ?, ?)",
            (self._store, payment_id, asked.key, asked.amount_minor, psp_ref),
        )
        self._db.execute(
            "UPDATE payments SET refunded_minor=?, status=? WHERE store=? AND payment_id=?",
            (
                whole,
                "refunded" if whole == found.amount_minor else "captured",
                self._store,
                payment_id,
            ),
        )
        self._note(payment_id, "refund", asked.amount_minor)
        return self.look_up_refund(payment_id, asked.key)

    def _find(self, payment_id: str) -> PaymentReply | None:
        row = self._db.execute(
            "SELECT charge_key, status, amount_minor, currency, psp_ref, approval_code, code"
            " FROM payments WHERE store=? AND payment_id=?",
            (self._store, payment_id),
        ).fetchone()
        if row is None:
            return None
        key, status, amount_minor, currency, psp_ref, approval_code, code = row
        return PaymentReply(
            payment_id=payment_id,
            key=key,
            status=status,
            amount_minor=amount_minor,
            currency=currency,
            psp_ref=psp_ref,
            approval_code="" if status == "pending" else approval_code,
            code=code if status == "declined" else "",
        )

    def _set(self, payment_id: str, status: str) -> None:
        self._db.execute(
            "UPDATE payments SET status=? WHERE store=? AND payment_id=?",
            (status, self._store, payment_id),
        )

    def _note(self, payment_id: str, kind: str, amount_minor: int | None = None) -> None:
        found = self.look_up(payment_id)
        self._db.execute(
            "INSERT INTO payment_effects (store, payment_id, kind, amount_minor, psp_ref)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                self._store,
                payment_id,
                kind,
                found.amount_minor if amount_minor is None else amount_minor,
                found.psp_ref,
            ),
        )

    def _psp_ref(self) -> str:
        (known,) = self._db.execute(
            "SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM payment_refunds)"
            " + (SELECT count(*) FROM payment_effects)"
        ).fetchone()
        return f"psp-{known + 1:06d}"


def settle_due(db: Connection, store: str, now_ms: int, make_id: Callable[[], str]) -> int:
    """Tell the outcomes that are due to be told late; how many."""
    return Bank(db, store, PaymentFaults(), now_ms).settle(make_id)


def listed(db: Connection, store: str) -> dict[str, Any]:
    """``payments`` as they stand, ``effects``: the money that moved; at most 10 000 each."""
    found = {}
    for name, table in (("payments", "payments"), ("effects", "payment_effects")):
        rows = db.execute(
            f"SELECT * FROM {table} WHERE store=? ORDER BY rowid LIMIT 10000",  # noqa: S608
            (store,),
        )
        names = [column[0] for column in rows.description]
        found[name] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def kept(db: Connection, tables: tuple[str, ...]) -> dict[str, list[tuple[Any, ...]]]:
    """All that the processor knows, and the issuer."""
    return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608


def put_back(
    db: Connection, known: dict[str, list[tuple[Any, ...]]], schemas: tuple[str, ...]
) -> None:
    """They still know what the OMS has forgotten."""
    for schema in schemas:
        db.execute(schema)
    db.execute("BEGIN IMMEDIATE")
    for name, rows in known.items():
        db.execute(f"DELETE FROM {name}")  # noqa: S608
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608
    db.execute("COMMIT")
