"""What this hub can do to mend itself: the actions, put together from its running parts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from hub.app.caretaker import Caretaker
from hub.app.founding import being_restored
from hub.app.measuring import WAY
from hub.app.parts import Running
from hub.contract.admin import TrustClock
from hub.health.checks.link import broken_at
from hub.health.mending import Action, Done
from hub.health.prober import Prober
from hub.health.probes import backup
from hub.health.words import ago, many, size
from hub.service.caller import Caller
from hub.service.handlers.mending import ResendParked
from hub.storage import hubrow, outbox

DAY_S = 86_400.0
OLD_S = 30 * DAY_S
BACKUPS_KEPT = 3
RESTART_PAUSE_S = 30.0
Run = Callable[[Caller], Awaitable[Done]]


def make_actions(running: Running, prober: Prober, caretaker: Caretaker) -> list[Action]:
    """All of them, in the order in which they are listed."""
    mender = Mender(running, prober, caretaker)
    return [
        Action(
            "broker.restart",
            "Restart the broker",
            "Ends the message broker and starts it again; devices connect again by themselves.",
            "Restart the broker? Devices lose their connection for a few seconds.",
            mender.restart_broker,
            disturbs=True,
            why_not=mender.no_broker,
            pause_s=RESTART_PAUSE_S,
        ),
        Action(
            "outbox.retry",
            "Send now",
            "Sends what waits for the cloud now, without waiting for the next try.",
            "Try to reach the cloud now?",
            mender.retry_outbox,
            why_not=mender.no_cloud,
        ),
        Action(
            "link.look",
            "Look for the fault",
            "Looks where the way to the cloud ends: here, at the router, or behind it.",
            "Look now? It takes up to 20 seconds.",
            mender.look_at_link,
            why_not=mender.no_fault_in_link,
        ),
        Action(
            "parked.resend",
            "Send refused events again",
            "Sends the events that the cloud refused again, in their order, as new ones.",
            "Send them again? If the cloud isn't mended, it refuses them again.",
            mender.resend_parked,
            why_not=mender.none_parked,
        ),
        Action(
            "drift.check",
            "Compare stock",
            "Compares the hub's stock with the cloud's now; nothing is changed.",
            "Compare stock with the cloud now?",
            mender.check_drift,
            why_not=mender.cloud_away,
        ),
        Action(
            "certificate.renew",
            "Renew certificates",
            "Renews the hub's own certificate if it is due, and writes the list of revoked"
            " devices anew.",
            "Renew what is due?",
            mender.renew_certificate,
        ),
        Action(
            "clock.trust",
            "The clock is right",
            "Takes your word that the box's clock is right, and ends the doubt about it.",
            "Did you compare the box's clock with another one, and is it right?",
            mender.trust_clock,
            why_not=mender.clock_is_trusted,
        ),
        Action(
            "space.free",
            "Free space",
            f"Removes what is no longer needed: copies older than 30 days from updates and"
            f" restores, all backups on this box but the newest {BACKUPS_KEPT}, and expired rows.",
            "Remove old copies and backups now?",
            mender.free_space,
            needs_room=False,
        ),
    ]


class Mender:
    """Does it."""

    def __init__(self, running: Running, prober: Prober, caretaker: Caretaker) -> None:
        self._hub = running
        self._prober = prober
        self._caretaker = caretaker

    async def restart_broker(self, caller: Caller) -> Done:
        """Our own broker only."""
        await self._hub.messaging.restart_broker(f"{caller.key} asked for it")
        return Done("started", "The broker is starting again; devices come back by themselves.")

    def no_broker(self) -> str:
        """Somebody else's broker isn't ours to restart."""
        return "" if self._hub.messaging.broker else "The site runs the broker, not this hub."

    async def retry_outbox(self, _caller: Caller) -> Done:
        """What is on its way is not sent twice: it is known by its id."""
        depth = sum(outbox.depth(self._hub.gate.rows).values())
        await self._hub.cloud.retry()
        if self._hub.cloud.status().state == "up" and not depth:
            return Done("nothing-to-do", "The cloud is reached, and nothing waits.")
        return Done("started", f"{many(depth, 'event')} waiting: the cloud is tried now.")

    def no_cloud(self) -> str:
        """Without an address there is nothing to try."""
        return "" if self._hub.settings.cloud.url else "No cloud is set up (cloud.url)."

    def cloud_away(self) -> str:
        """Comparing needs an answer."""
        reached = self._hub.cloud.status().state == "up"
        return self.no_cloud() or ("" if reached else "The cloud isn't reached now.")

    async def look_at_link(self, _caller: Caller) -> Done:
        """The status has all of it afterwards."""
        await self._prober.look(WAY)
        way = self._prober.latest().way
        place = broken_at(way)
        if place is None:
            return Done("done", "No fault is seen on the way to the cloud.")
        step = next(one for one in way if one.place == place)
        return Done("done", f"{step.title}: {step.text or 'broken'}.")

    def no_fault_in_link(self) -> str:
        """Only while the cloud isn't reached."""
        reached = self._hub.cloud.status().state == "up"
        return self.no_cloud() or ("The cloud is reached." if reached else "")

    async def resend_parked(self, caller: Caller) -> Done:
        """In one transaction, a bounded number."""
        count = await self._hub.gate.internal(caller, ResendParked())
        if not count:
            return Done("nothing-to-do", "No event waits aside.")
        return Done("done", f"{many(count, 'event')} sent again; see whether the cloud takes them.")

    def none_parked(self) -> str:
        """Nothing to send."""
        return "" if outbox.count_parked(self._hub.gate.rows) else "No event waits aside."

    async def check_drift(self, _caller: Caller) -> Done:
        """The result is in the status when the cloud has answered."""
        self._hub.cloud.check_drift()
        return Done("started", "Stock is being compared; the result shows in a moment.")

    async def renew_certificate(self, _caller: Caller) -> Done:
        """As it is done every few hours."""
        kept = self._hub.certificates
        before_ms = kept.server_expires_at_ms
        await kept.keep()
        ends_at_ms = kept.server_expires_at_ms
        left = ago((ends_at_ms or 0) - self._hub.gate.clock.wall_ms())
        what = "was not due" if ends_at_ms == before_ms else "is new"
        return Done("done", f"The hub's certificate {what} and is good for {left}.")

    async def trust_clock(self, caller: Caller) -> Done:
        """The same as ``hub/trust-clock``."""
        await self._hub.gate.run(caller, TrustClock(reason="confirmed on the status page"))
        return Done("done", "The clock is trusted from now on.")

    def clock_is_trusted(self) -> str:
        """Nothing to confirm."""
        return "" if hubrow.get(self._hub.gate.rows).clock_suspect else "The clock is trusted."

    async def free_space(self, _caller: Caller) -> Done:
        """What can't be removed stays, and is said."""
        await self._caretaker.housekeep()
        state, now_ms = self._hub.settings.paths.state, self._hub.gate.clock.wall_ms()
        removed, freed, kept = await asyncio.to_thread(remove_old, state, now_ms)
        await self._caretaker.guard_disk()
        await self._prober.look("disk")
        left = f" {kept} may not be removed by the hub." if kept else ""
        if not removed:
            return Done("nothing-to-do", f"There was nothing old to remove.{left}")
        return Done(
            "done", f"{size(freed)} are free again: {many(removed, 'old thing')} removed.{left}"
        )


def remove_old(state: Path, now_ms: int) -> tuple[int, int, int]:
    """Remove what is no longer needed; (how many, bytes, how many couldn't be removed)."""
    removed = freed = kept = 0
    for path in old_copies(state, now_ms):
        length = _length(path)
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError:
            kept += 1
        else:
            removed += 1
            freed += length
    return removed, freed, kept


def old_copies(state: Path, now_ms: int) -> list[Path]:
    """Copies that updates and restores kept, older than 30 days; restores that were cut short; and
    all but the newest backups on this box."""
    real = state.resolve()  # systemd's private state directories are links
    before_s = now_ms / 1000 - OLD_S
    kept = [
        *real.glob("hub.db.before-schema-*"),
        *real.parent.glob(f"{real.name}.before-restore-*"),
    ]
    aged = [path for path in sorted(kept) if path.stat().st_mtime < before_s]
    cut_short = [path for path in being_restored(state) if path.stat().st_mtime < before_s]
    return [*aged, *cut_short, *backup.copies(state)[:-BACKUPS_KEPT]]


def _length(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files if one.is_file())
