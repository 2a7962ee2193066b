"""What people can have this hub do: each action's words, and the part that does it.

:data:`OFFERED` has their order.  An action of another part is made where that part is, and added
in :class:`hub.app.hub.Hub`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from hub.app.caretaker import Caretaker
from hub.app.mending import BACKUPS_KEPT, Mender
from hub.app.parts import Running
from hub.health.mending import PAUSE_S, Action, Done
from hub.health.prober import Prober
from hub.service.caller import Caller

RESTART_PAUSE_S: Final = 30.0


def _always(_mender: Mender) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Offer:
    """An :class:`~hub.health.mending.Action` of whichever mender."""

    key: str
    title: str
    what: str
    confirm: str
    run: Callable[[Mender, Caller], Awaitable[Done]]
    why_not: Callable[[Mender], str] = _always
    disturbs: bool = False
    pause_s: float = PAUSE_S
    needs_room: bool = True

    def of(self, mender: Mender) -> Action:
        """What this mender does."""
        return Action(
            self.key,
            self.title,
            self.what,
            self.confirm,
            run=partial(self.run, mender),
            why_not=partial(self.why_not, mender),
            disturbs=self.disturbs,
            pause_s=self.pause_s,
            needs_room=self.needs_room,
        )


OFFERED: Final = (
    Offer(
        "broker.restart",
        "Restart the broker",
        "Ends the message broker and starts it again; devices connect again by themselves.",
        "Restart the broker? Devices lose their connection for a few seconds.",
        Mender.restart_broker,
        disturbs=True,
        why_not=Mender.no_broker,
        pause_s=RESTART_PAUSE_S,
    ),
    Offer(
        "outbox.retry",
        "Send now",
        "Sends what waits for the cloud now, without waiting for the next try.",
        "Try to reach the cloud now?",
        Mender.retry_outbox,
        why_not=Mender.no_cloud,
    ),
    Offer(
        "link.look",
        "Look for the fault",
        "Looks where the way to the cloud ends: here, at the router, or behind it.",
        "Look now? It takes up to 20 seconds.",
        Mender.look_at_link,
        why_not=Mender.no_fault_in_link,
    ),
    Offer(
        "parked.resend",
        "Send refused events again",
        "Sends the events that the cloud refused again, in their order, as new ones.",
        "Send them again? If the cloud isn't mended, it refuses them again.",
        Mender.resend_parked,
        why_not=Mender.none_parked,
    ),
    Offer(
        "drift.check",
        "Compare stock",
        "Compares the hub's stock with the cloud's now; nothing is changed.",
        "Compare stock with the cloud now?",
        Mender.check_drift,
        why_not=Mender.cloud_away,
    ),
    Offer(
        "certificate.renew",
        "Renew certificates",
        "Renews the hub's own certificate if it is due, and writes the list of revoked"
        " devices anew.",
        "Renew what is due?",
        Mender.renew_certificate,
    ),
    Offer(
        "clock.trust",
        "The clock is right",
        "Takes your word that the box's clock is right, and ends the doubt about it.",
        "Did you compare the box's clock with another one, and is it right?",
        Mender.trust_clock,
        why_not=Mender.clock_is_trusted,
    ),
    Offer(
        "space.free",
        "Free space",
        f"Removes what is no longer needed: copies older than 30 days from updates and"
        f" restores, all backups on this box but the newest {BACKUPS_KEPT}, and expired rows.",
        "Remove old copies and backups now?",
        Mender.free_space,
        needs_room=False,
    ),
)


def make_actions(running: Running, prober: Prober, caretaker: Caretaker) -> list[Action]:
    """All of them, in the order in which they are listed."""
    mender = Mender(running, prober, caretaker)
    return [offer.of(mender) for offer in OFFERED]
