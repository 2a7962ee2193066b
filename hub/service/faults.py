"""What a request is answered that came to nothing."""

from __future__ import annotations

import logging
from typing import Final

from hub import events
from hub.contract.problems import Code, Problem, Refusal, problem
from hub.domain.errors import DomainError
from hub.service.answers import TOO_BIG, from_domain, from_storage
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

_SLOW: Final = problem(Code.BUSY, "The hub is busy reading: repeat shortly.", retry_after_ms=500)


def refusal_of(error: BaseException) -> Problem | None:
    """The answer that the request itself earned; None for what isn't its fault."""
    match error:
        case Refusal():
            return error.problem
        case DomainError():
            return from_domain(error)
        case OverflowError():
            return TOO_BIG
        case _:
            return None


def failure_of(error: BaseException) -> Problem | None:
    """The answer to what is known to go wrong; None for a fault of the hub's own."""
    match error:
        case StorageError():
            return from_storage(error)
        case TimeoutError():
            return _SLOW
        case _:
            return refusal_of(error)


def fault(
    caller: str, operation: str, key: str | None, error: BaseException, instance: str
) -> Problem:
    """The answer to a fault of the hub's own; the log has the cause under the same ``instance``."""
    log.error(
        "request %s of %s failed, %s",
        operation,
        caller,
        instance,
        exc_info=error,
        extra=events.REQUEST_FAILED(
            device=caller, operation=operation, correlation=key, instance=instance
        ),
    )
    return problem(
        Code.UNAVAILABLE,
        "The hub failed on this request; nothing of it is stored. Its log names the cause.",
        instance=instance,
        retry_after_ms=2000,
    )
