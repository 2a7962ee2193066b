"""What the roles of the page may do.

Every call that changes something is looked up here, once, before its handler runs; what isn't in
these tables is refused, so a new call is closed until somebody decides who may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from hub.contract import admin, payments, peripherals, printing, receivables, settlement
from hub.contract.base import Command
from hub.contract.pages import house
from hub.contract.problems import Code, refuse
from hub.contract.registry import OPERATIONS, Door
from hub.domain.staff import PageRole, Permission


class Right(StrEnum):
    """What a role may or may not do; ``GET /api/1/me`` lists those of the session as ``may``."""

    ACTIONS = "actions"
    PAIRING = "pairing"
    DEVICES = "devices"
    OUTBOX = "outbox"
    LOG_LEVEL = "log-level"
    SUPPORT = "support"
    DRILL = "drill"
    STAFF = "staff"
    PERIPHERALS = "peripherals"
    PRINTING = "printing"
    PAYMENTS = "payments"


MAY: Final[Mapping[PageRole, frozenset[Right]]] = {
    PageRole.VIEWER: frozenset({Right.SUPPORT}),
    PageRole.TECHNICIAN: frozenset(Right) - {Right.STAFF, Right.PAYMENTS},
    PageRole.MANAGER: frozenset(Right),
}
"""Support bundles are read, and reading needs a session only."""

OPEN_CALLS: Final = frozenset(
    {
        ("POST", "/api/1/pair"),
        ("POST", "/api/1/renewals/nonce"),
        ("POST", "/api/1/renewals"),
        ("POST", "/api/1/session"),
    }
)
"""Changes that need no session: they prove who asks in another way, or are how one gets it."""

OWN_CALLS: Final = frozenset({("DELETE", "/api/1/session")})
"""What every session may do with itself."""

ACTION_CALL: Final = ("POST", "/api/1/actions/{key}")
OPERATION_CALL: Final = ("POST", "/api/1/{service}/{operation}")
CALLS: Final[Mapping[tuple[str, str], Right]] = {
    ACTION_CALL: Right.ACTIONS,
    ("POST", "/api/1/pairing/open"): Right.PAIRING,
}
ACTION_RIGHTS: Final[Mapping[str, Right]] = {"drill": Right.DRILL}
"""By the action's family, the part of its key before the dot; others need ``actions``."""

_COMMANDS: Final[Mapping[type[Command], Right]] = {
    admin.TrustClock: Right.ACTIONS,
    admin.ClearLockout: Right.STAFF,
    admin.RenameDevice: Right.DEVICES,
    admin.RevokeDevice: Right.DEVICES,
    admin.RetryParked: Right.OUTBOX,
    admin.ParkEvent: Right.OUTBOX,
    admin.GiveUpParked: Right.OUTBOX,
    house.SetLogLevel: Right.LOG_LEVEL,
    printing.SettlePrintJob: Right.PRINTING,
    printing.CancelPrintJob: Right.PRINTING,
    printing.Reprint: Right.PRINTING,
    printing.PrintGiftReceipt: Right.PRINTING,
    printing.PrintLabels: Right.PRINTING,
    printing.PrintTestPage: Right.PRINTING,
    printing.OpenDrawer: Right.PERIPHERALS,
    payments.GivePaymentUp: Right.PAYMENTS,
    payments.DecidePayment: Right.PAYMENTS,
    payments.CloseReceivable: Right.PAYMENTS,
    receivables.SetContact: Right.PAYMENTS,
    receivables.SendLink: Right.PAYMENTS,
    receivables.SettleLink: Right.PAYMENTS,
    receivables.SettleRefund: Right.PAYMENTS,
    settlement.ImportSettlement: Right.PAYMENTS,
    peripherals.ConfigurePeripheral: Right.PERIPHERALS,
    peripherals.RemovePeripheral: Right.PERIPHERALS,
    peripherals.FindPeripherals: Right.PERIPHERALS,
    peripherals.TryPeripheral: Right.PERIPHERALS,
}
OPERATION_RIGHTS: Final[Mapping[tuple[str, str], Right | None]] = {
    address: None for address, row in OPERATIONS.items() if Door.ADMIN in row.doors and row.is_query
} | {(command.service, command.operation): right for command, right in _COMMANDS.items()}
"""None: a question, for which a session is enough."""


def check(role: PageRole, method: str, route: str, match: Mapping[str, str]) -> None:
    """Refuse what ``role`` may not do; ``route`` is the route's pattern, ``match`` what stands in
    its braces.  Errors: ``forbidden``, naming the permission that is missing; ``not-found`` for an
    operation the page doesn't have."""
    call = (method, route)
    if call in OWN_CALLS:
        return
    right: Right | None
    if call == OPERATION_CALL:
        address = (match["service"], match["operation"])
        if address not in OPERATION_RIGHTS:
            raise refuse(
                Code.NOT_FOUND,
                "There is no such operation here: contract/hub.openapi.yaml lists what there is.",
            )
        right = OPERATION_RIGHTS[address]
    elif call == ACTION_CALL:
        right = ACTION_RIGHTS.get(match["key"].partition(".")[0], Right.ACTIONS)
    elif call in CALLS:
        right = CALLS[call]
    else:
        raise refuse(Code.FORBIDDEN, "Nobody may do this on the page.")
    if right is not None and right not in MAY[role]:
        raise _forbidden(right)


def _forbidden(right: Right) -> Exception:
    who = "a manager"
    if right in MAY[PageRole.TECHNICIAN]:
        who += ", or with the technician's code"
    return refuse(
        Code.FORBIDDEN,
        f"You may look at this, but not change it: sign in as {who} ({Permission.HUB_MANAGE}).",
        permission=Permission.HUB_MANAGE,
        right=right,
    )
