"""Messages to bytes and back."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from devices.kit.errors import BadAnswer, Refused, TooMuch
from hub.contract.base import MAX_MESSAGE_BYTES, Command, Outgoing
from hub.contract.envelope import Reply
from hub.contract.problems import problem
from hub.contract.registry import BY_COMMAND, OPERATIONS, Operation
from hub.contract.screening import screen
from hub.domain.cards import refuse_card_data
from hub.domain.errors import DomainError

BODY_BYTES_MAX = MAX_MESSAGE_BYTES - 1024
"""The rest is for the topic and the properties."""

R = TypeVar("R", bound=Outgoing)


def encode(command: Command) -> bytes:
    """A command as its JSON body; fields at their default are left out, secrets are in clear.

    Raises TooMuch when it is larger than the contract allows.
    """
    body = json.dumps(
        command.model_dump(mode="python", exclude_defaults=True),
        default=_reveal,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    if len(body) > BODY_BYTES_MAX:
        raise TooMuch(f"the request has {len(body)} bytes; {BODY_BYTES_MAX} fit: split it")
    return body


def refuse_cards(message: Command | dict[str, Any]) -> None:
    """Raise Refused (``card-data-refused``) for card data in any text, as the hub would."""
    try:
        if isinstance(message, Command):
            screen(message)
        else:
            refuse_card_data(message)
    except DomainError as error:
        raise Refused(problem(error.code, error.detail)) from None


def holds_secrets(command: Command) -> bool:
    """Whether it carries a PIN, a contact or the like: such a command is never written to disk."""
    return _is_secret(command)


def _is_secret(value: object) -> bool:
    if isinstance(value, BaseModel):
        return any(_is_secret(getattr(value, name)) for name in type(value).model_fields)
    return isinstance(value, SecretStr)


def operation_of(command: Command) -> Operation:
    """The registry's row; raises ValueError for a class that no door offers."""
    row = BY_COMMAND.get(type(command))
    if row is None:
        raise ValueError(f"{type(command).__name__} is not an operation of the contract")
    return row


def decode(service: str, operation: str, body: bytes) -> Command:
    """A journalled body as its command again; raises ValueError."""
    row = OPERATIONS.get((service, operation))
    if row is None:
        raise ValueError(f"{service}/{operation} is not an operation of the contract")
    return row.command.model_validate_json(body)


def read_reply(payload: bytes) -> Reply | None:
    """A reply, or None when the bytes are not one."""
    try:
        return Reply.model_validate_json(payload)
    except ValidationError:
        return None


def read_result(result: dict[str, Any] | None, expected: type[R]) -> R:
    """The result of an ``ok`` reply; raises BadAnswer."""
    try:
        return expected.model_validate_json(json.dumps(result or {}))
    except ValidationError as error:
        raise BadAnswer(
            f"the hub's answer is no {expected.__name__}: {error.error_count()} fields differ; "
            "update this device's software"
        ) from error


def _reveal(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    raise TypeError(f"{type(value).__name__} has no JSON form")
