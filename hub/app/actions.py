"""What people can have this hub do: each action's words, and the part that does it.

One function an action; :data:`OFFERED` has their order.  An action of another part is made where
that part is, and added in :class:`hub.app.hub.Hub`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hub.app.caretaker import Caretaker
from hub.app.mending import BACKUPS_KEPT, Mender
from hub.app.parts import Running
from hub.health.mending import Action
from hub.health.prober import Prober

RESTART_PAUSE_S: Final = 30.0


def make_actions(running: Running, prober: Prober, caretaker: Caretaker) -> list[Action]:
    """All of them, in the order in which they are listed."""
    mender = Mender(running, prober, caretaker)
    return [offer(mender) for offer in OFFERED]


def restart_broker(mender: Mender) -> Action:
    """``broker.restart``."""
    return Action(
        "broker.restart",
        "Restart the broker",
        "Ends the message broker and starts it again; devices connect again by themselves.",
        "Restart the broker? Devices lose their connection for a few seconds.",
        mender.restart_broker,
        disturbs=True,
        why_not=mender.no_broker,
        pause_s=RESTART_PAUSE_S,
    )


def retry_outbox(mender: Mender) -> Action:
    """``outbox.retry``."""
    return Action(
        "outbox.retry",
        "Send now",
        "Sends what waits for the cloud now, without waiting for the next try.",
        "Try to reach the cloud now?",
        mender.retry_outbox,
        why_not=mender.no_cloud,
    )


def look_at_link(mender: Mender) -> Action:
    """``link.look``."""
    return Action(
        "link.look",
        "Look for the fault",
        "Looks where the way to the cloud ends: here, at the router, or behind it.",
        "Look now? It takes up to 20 seconds.",
        mender.look_at_link,
        why_not=mender.no_fault_in_link,
    )


def resend_parked(mender: Mender) -> Action:
    """``parked.resend``."""
    return Action(
        "parked.resend",
        "Send refused events again",
        "Sends the events that the cloud refused again, in their order, as new ones.",
        "Send them again? If the cloud isn't mended, it refuses them again.",
        mender.resend_parked,
        why_not=mender.none_parked,
    )


def check_drift(mender: Mender) -> Action:
    """``drift.check``."""
    return Action(
        "drift.check",
        "Compare stock",
        "Compares the hub's stock with the cloud's now; nothing is changed.",
        "Compare stock with the cloud now?",
        mender.check_drift,
        why_not=mender.cloud_away,
    )


def renew_certificate(mender: Mender) -> Action:
    """``certificate.renew``."""
    return Action(
        "certificate.renew",
        "Renew certificates",
        "Renews the hub's own certificate if it is due, and writes the list of revoked"
        " devices anew.",
        "Renew what is due?",
        mender.renew_certificate,
    )


def trust_clock(mender: Mender) -> Action:
    """``clock.trust``."""
    return Action(
        "clock.trust",
        "The clock is right",
        "Takes your word that the box's clock is right, and ends the doubt about it.",
        "Did you compare the box's clock with another one, and is it right?",
        mender.trust_clock,
        why_not=mender.clock_is_trusted,
    )


def free_space(mender: Mender) -> Action:
    """``space.free``."""
    return Action(
        "space.free",
        "Free space",
        f"Removes what is no longer needed: copies older than 30 days from updates and"
        f" restores, all backups on this box but the newest {BACKUPS_KEPT}, and expired rows.",
        "Remove old copies and backups now?",
        mender.free_space,
        needs_room=False,
    )


OFFERED: Final[tuple[Callable[[Mender], Action], ...]] = (
    restart_broker,
    retry_outbox,
    look_at_link,
    resend_parked,
    check_drift,
    renew_certificate,
    trust_clock,
    free_space,
)
