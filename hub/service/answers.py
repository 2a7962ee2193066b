"""Turning results and errors into replies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json import JSONEncoder

from pydantic import ValidationError

from hub.contract.base import Outgoing
from hub.contract.problems import ApprovalNeeded, Code, Problem, problem
from hub.domain.cards import find_card_data
from hub.domain.errors import ApprovalRequired, DomainError
from hub.storage.errors import (
    NotStored,
    OutcomeUnknown,
    QueueFull,
    StorageError,
    StorageFull,
    WriterStopped,
)

TOO_BIG = problem(
    Code.VALIDATION, "A number of the message is larger than 64 bits hold: correct it."
)
"""The database's word for such a number is :class:`OverflowError`; nothing is stored then."""
MAX_FINDINGS = 5
MAX_NAME_CHARS = 40
_CODE = re.compile(r"urn:store-hub:problem:([a-z-]{1,40})")
_LOOKED_AT = 400


_SEQ_AT = len('{"ok":true,"seq":')
quoted: Callable[[str], str] = JSONEncoder(ensure_ascii=False).encode
"""A text as JSON."""


def outcome_of(answer: str) -> str:
    """``ok``, or the code of the problem, or how a text begins that is no reply."""
    if answer.startswith('{"ok":true'):
        return "ok"
    found = _CODE.search(answer[:_LOOKED_AT])
    return found[1] if found else answer[:MAX_NAME_CHARS]


def seq_of(answer: str) -> int | None:
    """The number that a reply carries as ``seq``; None of a refusal and of 0."""
    if not answer.startswith('{"ok":true,"seq":'):
        return None
    digits = answer[_SEQ_AT : _SEQ_AT + 20].split(",", maxsplit=1)[0]
    return int(digits) or None if digits.isdecimal() else None


def success_json(result: Outgoing | str, seq: int) -> str:
    """A reply that says yes; ``result`` is the message, or its JSON."""
    if not isinstance(result, str):
        # What model_dump_json does, without going over its twenty settings.
        result = type(result).__pydantic_serializer__.to_json(result, exclude_none=True).decode()
    return f'{{"ok":true,"seq":{seq},"result":{result}}}'


def without_record(answer: str) -> str | None:
    """A shorter answer that says the same, or None if there is none."""
    fields = json.loads(answer)
    if fields.pop("record", None) is None:
        return None
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def split_success(answer: str) -> tuple[int, str]:
    """The work sequence and the result's JSON of an answer made by :func:`success_json`."""
    end = answer.index(",", _SEQ_AT)
    return int(answer[_SEQ_AT:end]), answer[end + len(',"result":') : -1]


def failure_json(answer: Problem) -> str:
    """A reply that says no."""
    return f'{{"ok":false,"seq":0,"problem":{answer.model_dump_json(exclude_none=True)}}}'


def from_validation(error: ValidationError) -> Problem:
    """What is wrong with a message, field by field, without repeating any value of it."""
    findings = [
        f"{'.'.join(_named(part) for part in found['loc']) or 'body'}: {found['msg']}"
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    shown = "; ".join(findings[:MAX_FINDINGS])
    more = len(findings) - MAX_FINDINGS
    return problem(
        Code.VALIDATION,
        f"{shown}{f' (and {more} more)' if more > 0 else ''}. Correct the message; the contract "
        "describes it.",
    )


def _named(part: int | str) -> str:
    """A field's name, which in a wrong message may be anything."""
    name = str(part)
    return name if len(name) <= MAX_NAME_CHARS and find_card_data(name) is None else "(a field)"


def from_domain(error: DomainError) -> Problem:
    """A rule's refusal."""
    approval = None
    if isinstance(error, ApprovalRequired):
        approval = ApprovalNeeded(permission=error.permission, amount_minor=error.amount_minor)
    return problem(error.code, error.detail, approval=approval, context=json.loads(_plain(error)))


def _plain(error: DomainError) -> str:
    return json.dumps(dict(error.context))


def from_storage(error: StorageError) -> Problem:
    """The database's refusal."""
    match error:
        case QueueFull():
            return problem(
                Code.BUSY, "Too much is waiting to be written: repeat shortly.", retry_after_ms=250
            )
        case StorageFull():
            return problem(
                Code.STORAGE_FULL,
                "The hub's disk is full; nothing of this is stored. Free space on the box.",
                retry_after_ms=5000,
            )
        case OutcomeUnknown():
            return problem(
                Code.OUTCOME_UNKNOWN,
                "The disk failed while this was written: repeat it with the same key.",
                retry_after_ms=5000,
            )
        case WriterStopped():
            return problem(
                Code.UNAVAILABLE,
                "The hub is stopping: repeat with the same key when it is back.",
                retry_after_ms=2000,
            )
        case NotStored():
            return problem(Code.BUSY, "Nothing of this is stored: repeat it.", retry_after_ms=1000)
        case _:
            return problem(Code.UNAVAILABLE, str(error), retry_after_ms=2000)
