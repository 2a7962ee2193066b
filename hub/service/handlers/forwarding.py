"""Work on payments: handed out, ended, learned by itself; what time and restarts do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.service.payments import timing, work
from hub.service.payments.commands import (
    EndWork,
    ExpirePayments,
    LearnOutcome,
    LeaseWork,
    RecoverPayments,
)
from hub.service.unit import Unit

INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    LeaseWork: work.lease,
    EndWork: work.end,
    LearnOutcome: work.learn,
    RecoverPayments: timing.recover,
    ExpirePayments: timing.expire,
}
