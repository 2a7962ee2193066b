"""Reading a request: its operation, its typed command, and its idempotency key."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from pydantic import ValidationError

from hub.contract.base import MAX_MESSAGE_BYTES, Command
from hub.contract.problems import Code, Refusal, refuse
from hub.contract.registry import OPERATIONS, Door, Operation
from hub.service import screening
from hub.service.answers import from_validation
from hub.service.caller import Caller, CallerKind
from hub.service.records import Told, same_hash

_AT_DEVICES = {at: row for at, row in OPERATIONS.items() if row.doors & Door.DEVICE}
_AT_ADMINS = {at: row for at, row in OPERATIONS.items() if row.doors & Door.ADMIN}


def operation_of(caller: Caller, service: str, name: str) -> Operation:
    """The operation at this address.  Errors: ``not-found`` when this door doesn't offer it."""
    offered = _AT_DEVICES if caller.kind is CallerKind.DEVICE else _AT_ADMINS
    operation = offered.get((service, name))
    if operation is None:
        raise refuse(
            Code.NOT_FOUND,
            f"There is no operation {service}/{name} here; the device contract "
            "(contract/asyncapi.yaml) lists them all.",
        )
    return operation


class Read(NamedTuple):
    """A command with the idempotency key and the record that came with it."""

    command: Command
    key: str | None
    record: str | None


class Asked(NamedTuple):
    """A change on its way to the writer; ``told``: it was decided once before; ``strange``: its
    record is not this hub's."""

    caller: Caller
    command: Command
    key: str
    body_hash: bytes
    deadline_s: float | None
    told: Told | None = None
    strange: bool = False


def read_command(
    operation: Operation, body: bytes, key: str | None, record: str | None = None
) -> Read:
    """The typed command in ``body``, screened for card data.  ``key`` and ``record`` are those of
    the properties; a device without them has them in its body.

    Errors: ``too-large``, ``validation``, ``card-data-refused``.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise refuse(Code.TOO_LARGE, f"A message is at most {MAX_MESSAGE_BYTES} bytes long.")
    validator = operation.command.__pydantic_validator__
    try:
        if b'"idempotency_key"' in body or b'"correlation"' in body or b'"record"' in body:
            fields = json.loads(body)
            if isinstance(fields, dict):
                fields.pop("correlation", None)
                key = fields.pop("idempotency_key", key)
                record = fields.pop("record", record)
            command = validator.validate_json(json.dumps(fields))
        else:
            command = validator.validate_json(body or b"{}")
    except ValidationError as error:
        raise Refusal(from_validation(error)) from None
    except (ValueError, RecursionError):
        raise refuse(Code.VALIDATION, "The body is not JSON in UTF-8.") from None
    if key is not None and not _is_key(key):
        raise refuse(Code.VALIDATION, "An idempotency key is 8 to 64 printable ASCII letters.")
    screening.screen(command)
    screening.screen_key(key)
    return Read(command, key, record if isinstance(record, str) else None)


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 8 <= len(key) <= 64 and key.isascii() and key.isprintable()


def command_hash(command: Command, keyed: Callable[[bytes], bytes] | None = None) -> bytes:
    """What tells two requests apart: their operation and content (never a secret's value).

    Fields at their defaults don't count, so that a field added later changes no older hash.  Where
    secrets tell requests apart, ``keyed`` is asked for their hash, which comes behind.
    """
    kind = type(command)
    content = kind.__pydantic_serializer__.to_json(command, exclude_defaults=True)
    plain = sha256(f"{kind.service}/{kind.operation}\0".encode() + content).digest()
    secrets = command.told_apart_by() if keyed is not None else ()
    return plain + keyed(json.dumps(secrets).encode()) if keyed and secrets else plain


def same_request(known_hash: bytes | None, body_hash: bytes) -> bool:
    """Whether what is written down came of this very request.  What came back from the cloud has
    no hash: its id alone tells."""
    return not known_hash or same_hash(known_hash, body_hash)
