"""The event storages of another gateway (thingsboard-gateway), killed as ours is.

Its gateway hands an event to the storage and takes ``put``'s True for "saved"; the device has long
been answered then.  Counted is what ``put`` had accepted and no later life gave back.  It is
installed into an environment of its own below ``var/``, never beside the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from threading import Thread
from time import perf_counter, sleep
from typing import Any

from hub.mqtt import deathwatch

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "var" / "killing" / "thingsboard"
PACKAGE = "thingsboard-gateway==3.8.5"
KINDS = ("memory", "file", "sqlite")
_PROGRAM = Path(__file__).with_name("thingsboard_process.py")
_INSTALL_S = 120
_READY_S = 60.0
_LIVES_S = (0.05, 0.6)
_SHOW_S = 1.0
_POLL_S = 0.01
_GAP = 10

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a storage lost.  ``accepted``: ``put`` returned True; ``lost`` of them never came back;
    ``twice`` came back more than once; ``kills`` that lost at least one event."""

    storage: str
    platform: str
    kills: int
    accepted: int
    lost: int
    twice: int
    kills_with_loss: int


class NotInstalled(Exception):
    """It can't be had here; the text says why."""


def kill_storages(
    kills: int, seed: str, show: Show, seconds: float | None = None
) -> dict[str, Any]:
    """Kill each storage ``kills`` times with its platform away and as often with it reached (for
    ``seconds`` at most, if given).  What can't be done here is a note; only an interruption is
    raised, when all are stopped."""
    try:
        python, version = install(show)
    except NotInstalled as why:
        return {"note": f"not compared: {why}"}
    tries = [
        _Try(python, kind, linked, kills, seed, seconds)
        for kind in KINDS
        for linked in (False, True)
    ]
    try:
        with ThreadPoolExecutor(len(tries)) as pool, _stopped_after(tries):
            running = {pool.submit(one.run) for one in tries}
            while running:
                done, running = wait(running, timeout=_SHOW_S, return_when=FIRST_EXCEPTION)
                show(f"thingsboard-gateway's storages, {sum(one.kills for one in tries)} kills")
                for one in done:
                    one.result()
    except (OSError, TimeoutError, ValueError) as error:
        return {"version": version, "note": f"not compared: {error}"}
    return {"version": version, "storages": [asdict(one.loss()) for one in tries]}


@contextmanager
def _stopped_after(tries: Sequence[_Try]) -> Iterator[None]:
    """The threads are not waited for longer than one life."""
    try:
        yield
    finally:
        for one in tries:
            one.stopped = True


def install(show: Show) -> tuple[Path, str]:
    """Its interpreter and its version; installed on first use.  Raises NotInstalled."""
    python = ENVIRONMENT / "bin" / "python"
    ask = "from importlib.metadata import version; print(version('thingsboard-gateway'))"
    if not python.exists() or _run([str(python), "-c", ask]).returncode:
        show("installing thingsboard-gateway")
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
        for command in (
            [sys.executable, "-m", "venv", str(ENVIRONMENT)],
            [str(python), "-m", "pip", "install", "--quiet", PACKAGE],
        ):
            done = _run(command)
            if done.returncode:
                raise NotInstalled((done.stderr or done.stdout).strip()[-300:] or "no answer")
    return python, _run([str(python), "-c", ask]).stdout.strip()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


class _Try:
    """One storage in one situation, life after life in the same folder."""

    def __init__(
        self,
        python: Path,
        kind: str,
        linked: bool,
        kills: int,
        seed: str,
        seconds: float | None,
    ) -> None:
        self.kills = 0
        self.stopped = False
        self._python = python
        self._kind = kind
        self._linked = linked
        self._wanted = kills
        self._rng = Random(f"{seed}/{kind}/{linked}")
        self._seconds = seconds
        self._heard = Heard()
        self._lives: list[int] = []

    def run(self) -> None:
        """Raises ValueError, TimeoutError when the storage does not work at all."""
        end_s = perf_counter() + (self._seconds or 1e9)
        with tempfile.TemporaryDirectory(prefix="shk-tb-") as folder:
            while self.kills < self._wanted and perf_counter() < end_s and not self.stopped:
                self._live(folder, self._rng.uniform(*_LIVES_S))
                self.kills += 1
                self._lives.append(len(self._heard.accepted))
            self._live(folder, 0.0)

    def _live(self, folder: str, seconds: float) -> None:
        first = self._heard.last + _GAP  # what was put last may be there, unheard of
        arguments = [self._kind, folder, str(first), str(int(self._linked))]
        with _Life(self._python, arguments, self._heard) as life:
            life.ready()
            sleep(seconds)

    def loss(self) -> Loss:
        """What was lost until now."""
        accepted, came = self._heard.accepted, self._heard.came
        ends = self._lives or [0]
        lost = [number for number in accepted[: ends[-1]] if not came[number]]
        return Loss(
            storage=self._kind,
            platform="reached" if self._linked else "away",
            kills=self.kills,
            accepted=ends[-1],
            lost=len(lost),
            twice=sum(times > 1 for times in came.values()),
            kills_with_loss=sum(
                not all(came[number] for number in accepted[low:high])
                for low, high in zip([0, *ends], ends, strict=False)
            ),
        )


@dataclass(slots=True)
class Heard:
    """What all lives said: numbers accepted in order, how often each came back, the last put."""

    accepted: list[int] = field(default_factory=list)
    came: Counter[int] = field(default_factory=Counter)
    last: int = 0


class _Life:
    """One process from its start to SIGKILL; at the end everything that it said is counted.  It
    ends with this one, too."""

    def __init__(self, python: Path, arguments: list[str], heard: Heard) -> None:
        watch = [sys.executable, "-I", "-S", deathwatch.__file__, str(os.getpid())]
        self._process = subprocess.Popen(
            [*watch, str(python), str(_PROGRAM), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        self._heard = heard
        self._is_ready = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _Life:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ready(self) -> None:
        """Until it has read back what was there.  Raises ValueError, TimeoutError."""
        deadline = perf_counter() + _READY_S
        while not self._is_ready:
            if self._process.poll() is not None:
                raise ValueError(f"it ended with status {self._process.returncode}")
            if perf_counter() > deadline:
                raise TimeoutError(f"it was not ready within {_READY_S:.0f} s")
            sleep(_POLL_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith(b"\n"):
                return
            word, _, number = line.decode().strip().partition(" ")
            match word:
                case "READY":
                    self._is_ready = True
                case "R":
                    self._heard.came[int(number)] += 1
                case "A":
                    self._heard.accepted.append(int(number))
                    self._heard.last = int(number)
                case _:
                    self._heard.last = int(number)
