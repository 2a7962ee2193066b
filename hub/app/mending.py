"""What this hub can do to mend itself, with its running parts; :mod:`hub.app.actions` offers it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from hub.app.caretaker import Caretaker
from hub.app.founding import being_restored
from hub.app.measuring import WAY
from hub.app.parts import Running
from hub.contract.admin import TrustClock
from hub.health.checks.link import broken_at
from hub.health.mending import Done
from hub.health.prober import Prober
from hub.health.probes import backup
from hub.health.words import ago, many, size
from hub.service.caller import Caller
from hub.service.handlers.mending import ResendParked
from hub.storage import hubrow, outbox

DAY_S = 86_400.0
OLD_S = 30 * DAY_S
BACKUPS_KEPT = 3


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
        return "" if hubrow.clock_suspect(self._hub.gate.rows) else "The clock is trusted."

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
        except FileNotFoundError:
            continue  # somebody else was quicker
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
    found = [*sorted(kept), *being_restored(state)]
    aged = [path for path in found if _made_before(path, before_s)]
    return [*aged, *backup.copies(state)[:-BACKUPS_KEPT]]


def _made_before(path: Path, before_s: float) -> bool:
    try:
        return path.stat().st_mtime < before_s
    except OSError:  # not silent: it is gone, or kept where it may not be seen
        return False


def _length(path: Path) -> int:
    """Bytes of a file or a folder; of what goes meanwhile, none."""
    try:
        files = list(path.rglob("*")) if path.is_dir() else [path]
        return sum(one.stat().st_size for one in files if one.is_file())
    except OSError:  # not silent: only the figure is too small
        return 0
