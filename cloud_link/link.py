"""The link to the cloud: sessions one after another, and in each the parts that use it.

Everything it needs of the world is passed in, so that a simulator can run it on virtual time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from cloud_link.bundles import Make
from cloud_link.errors import OmsError, Refused, SequenceReused, SessionOver, Superseded
from cloud_link.http import OmsClient
from cloud_link.pacing import cancelled
from cloud_link.parts import Parts, World, make_parts
from cloud_link.session import Greeted
from hub import events
from hub.config.models import Cloud
from hub.contract.local import CloudStatus
from hub.domain.schedule import restart_s
from hub.service.gate import Gate
from hub.service.handlers.cloud import drift_count, hub_of
from hub.service.handlers.datasets import dataset_rows
from hub.service.notices import OutboxGrew, SupportAsked

log = logging.getLogger(__name__)

SUPERSEDED_POLL_S = 600.0
RESTART_MAX_S = 60.0
URGENT = "payments"
"""A stream that is sent without waiting for company."""


class CloudLink:
    """``on_trusted_time`` is offered the OMS's wall clock (UTC ms) with every HELLO, ``on_date``
    what its other answers say of the time (in whole seconds)."""

    def __init__(
        self,
        settings: Cloud,
        gate: Gate,
        world: World,
        *,
        machine_hash: str,
        on_trusted_time: Callable[[int], None] = lambda _ms: None,
        on_date: Callable[[int], object] = lambda _ms: None,
        on_change: Callable[[], None] = lambda: None,
        make_bundle: Make | None = None,
    ) -> None:
        self._settings = settings
        self._make_bundle = make_bundle
        self._held = ""
        self._gate = gate
        self._world = world
        self._machine_hash = machine_hash
        self._on_trusted_time = on_trusted_time
        self._on_date = on_date
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._parts: Parts | None = None
        self._since_s = world.clock.monotonic_s()
        self._state = "unconfigured" if settings.url is None else "connecting"
        self._detail = ""
        self._last_success_ms: int | None = None

    # Life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Fence a database of another box, then begin to connect.  Returns at once otherwise."""
        assert self._task is None
        if self._settings.url is None:
            return
        self._closed = False
        parts = self._made()
        await parts.greeter.check_machine()
        self._parts = parts
        if not self._closed and not self._held:
            self._begin(parts)

    def _begin(self, parts: Parts) -> None:
        self._parts = parts
        self._task = asyncio.create_task(self._run(parts), name="cloud-link")

    async def stop(self) -> None:
        """End everything; what is on its way is known by its id when it is sent again."""
        self._closed = True
        await self._end()

    async def retry(self) -> None:
        """Try now what waits, without the rest of a pause: the next batch, or the cloud itself."""
        if self._closed or self._held or self._parts is None:
            return
        if self.up:
            self._parts.uplink.wake(URGENT)
            return
        await self._again()

    async def hold(self, why: str) -> None:
        """Cut the link: no request leaves until :meth:`release`.  A repeat changes nothing."""
        if self._held or self._settings.url is None:
            return
        self._held = why
        self._on_change()  # whoever goes out by another way is cut, too
        try:
            await self._end()
        finally:
            if self._held:  # else it was let connect again meanwhile
                self._set("down", why)

    def release(self) -> None:
        """Let it connect again, at once."""
        held, self._held = self._held, ""
        if held and not self._closed and self._task is None and self._parts is not None:
            self._set("connecting", "")
            self._begin(self._made())
        elif held:
            self._on_change()

    async def adopt(self, settings: Cloud) -> None:
        """Other limits and pauses, from the next session on, which begins at once."""
        changed, self._settings = settings != self._settings, settings
        if changed and not self._closed and not self._held and self._task is not None:
            await self._again()

    async def _again(self) -> None:
        await self._end()
        # At once: whoever is interrupted or fails here would leave no link at all.
        if not self._closed and not self._held and self._task is None:
            self._begin(self._made())

    async def _end(self) -> None:
        task, self._task = self._task, None
        parts = self._parts  # while its task ends, others may have begun
        if task is not None:
            await cancelled(task)
        if parts is not None:
            await parts.client.close()

    def notify(self, notices: Iterable[object]) -> None:
        """What was told after a commit."""
        if self._parts is None:
            return
        for notice in notices:
            if isinstance(notice, OutboxGrew):
                self._parts.uplink.wake(notice.stream)
            elif isinstance(notice, SupportAsked):
                self._parts.bundles.wake()

    def check_drift(self) -> None:
        """Compare stock with the cloud now."""
        if self._parts is not None:
            self._parts.antientropy.ask()

    def sync_dataset(self, dataset: str) -> None:
        """Look for changes of a data set now."""
        if self._parts is not None:
            self._parts.datasets.hint(dataset)

    @property
    def up(self) -> bool:
        """True while there is a session and the last call was answered."""
        return self._state == "up"

    @property
    def held(self) -> bool:
        """True while it is cut on purpose."""
        return bool(self._held)

    @property
    def superseded(self) -> bool:
        """True while another box has this hub's place."""
        return self._state == "superseded"

    @property
    def client(self) -> OmsClient | None:
        """The client of the present session; None while there is none."""
        parts = self._parts
        ready = parts is not None and self._task is not None and not self._held
        return parts.client if ready and parts and parts.client.session is not None else None

    @property
    def parts(self) -> Parts | None:
        """For tests and numbers."""
        return self._parts

    def status(self) -> CloudStatus:
        """For the status page."""
        rows = dataset_rows(self._gate.rows)
        parts = self._parts
        detail = self._detail
        if not detail and parts is not None:
            detail = "; ".join(f"{name}: {why}" for name, why in parts.datasets.problems.items())
        return CloudStatus(
            state=self._state,
            since_ms=self._since_ms(),
            detail=detail[:500],
            last_success_at_ms=self._last_success_ms,
            url=self._settings.url,
            datasets={row.dataset: row.label for row in rows if row.generation},
            importing=self._importing(),
            drift=drift_count(self._gate.rows),
        )

    def _since_ms(self) -> int:
        """By the wall clock as it is now: setting that makes no outage longer or shorter."""
        clock = self._world.clock
        return clock.wall_ms() - int((clock.monotonic_s() - self._since_s) * 1000)

    def _importing(self) -> str | None:
        parts = self._parts
        if parts is None:
            return None
        if parts.recovering:
            return str(parts.recovery.progress)
        return str(parts.datasets.progress) if parts.datasets.progress else None

    # Running -------------------------------------------------------------------------------------

    async def _run(self, parts: Parts) -> None:
        failures = 0
        while True:
            try:
                await self._session(parts)
                failures = 0
                await self._pause(failures)  # sessions that end at once are not made at full speed
            except Superseded as error:
                self._set("superseded", str(error))
                await self._world.sleep(SUPERSEDED_POLL_S)
            except OmsError as error:
                self._set("refused", str(error))
                log.error("the OMS refuses this hub: %s", error, extra=events.CLOUD_REFUSES())
                await self._pause(failures)
                failures += 1
            except Exception:
                self._set("down", "the link failed; the log says why")
                log.exception(
                    "the cloud link failed and is started again", extra=events.CLOUD_LINK_FAILED()
                )
                await self._pause(failures)
                failures += 1

    async def _pause(self, failures: int) -> None:
        uniform = self._world.randomness.uniform
        await self._world.sleep(restart_s(failures, 1.0, RESTART_MAX_S, uniform))

    async def _session(self, parts: Parts) -> None:
        """One HELLO and what follows, until it is over.  Errors: :class:`Superseded`, and what the
        HELLO fails with."""
        greeted = await parts.greeter.greet()
        log.info(
            "session with the cloud, incarnation %s",
            parts.client.session_name,
            extra=events.CLOUD_SESSION(incarnation=parts.client.session_name),
        )
        self._set("up", "")
        try:
            if greeted.recovering:
                await self._recover(parts, greeted)
            await self._together(parts, greeted)
        except Superseded:
            await parts.greeter.superseded()
            raise
        except SequenceReused as error:
            await parts.greeter.fork_after_reuse(str(error))
        except SessionOver as error:
            log.info("HELLO again: %s", error)
        finally:
            parts.client.session = None

    async def _recover(self, parts: Parts, greeted: Greeted) -> None:
        parts.recovering = True
        try:
            hub = hub_of(self._gate.rows)
            prefix = f"/stores/{hub.store}/hubs/{hub.hub_id}/"
            await parts.recovery.run(prefix, greeted.acked, greeted.open_orders)
            parts.greeter.recovered()
        finally:
            parts.recovering = False

    async def _together(self, parts: Parts, greeted: Greeted) -> None:
        """Run all parts until the first ends; its error is raised."""
        runs: dict[str, Callable[[], Awaitable[None]]] = {
            "uplink": parts.uplink.run,
            "downlink": lambda: parts.downlink.run(greeted.commands_cursor),
            "datasets": parts.datasets.run,
            "antientropy": parts.antientropy.run,
            "bundles": parts.bundles.run,
        }
        tasks = [
            asyncio.create_task(self._kept(name, run), name=f"cloud-{name}")
            for name, run in runs.items()
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(*tasks)
        ended = [None if task.cancelled() else task.exception() for task in tasks]
        errors = [one for one in ended if isinstance(one, SessionOver)]
        for kind in (Superseded, SequenceReused, SessionOver):
            for error in errors:
                if isinstance(error, kind):
                    raise error

    async def _kept(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A part of its own: when it fails, the others go on and it is started again."""
        failures = 0
        while True:
            try:
                await run()
            except SessionOver:
                raise
            except Exception as error:
                log.warning("%s failed and is started again: %s", name, error, exc_info=error)
            await self._pause(failures)
            failures += 1

    # State ---------------------------------------------------------------------------------------

    def _answered(self, failure: OmsError | None) -> None:
        if failure is None:
            self._last_success_ms = self._world.clock.wall_ms()
            if self._parts is not None and self._parts.client.session is not None:
                self._set("up", "")
        else:
            self._set("refused" if isinstance(failure, Refused) else "down", str(failure))

    def _set(self, state: str, detail: str) -> None:
        changed = state != self._state
        if changed:
            self._since_s = self._world.clock.monotonic_s()
        self._state, self._detail = state, detail
        if changed:
            self._on_change()

    def _made(self) -> Parts:
        return make_parts(
            self._settings,
            self._gate,
            self._world,
            machine_hash=self._machine_hash,
            on_trusted_time=self._on_trusted_time,
            on_date=self._on_date,
            on_answer=self._answered,
            make_bundle=self._make_bundle,
        )
