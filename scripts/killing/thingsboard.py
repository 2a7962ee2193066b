"""The event storages of another gateway (thingsboard-gateway), killed as ours is.

Its gateway hands an event to the storage and takes ``put``'s True for "saved"; the device has long
been answered then.  Counted is what ``put`` had accepted and no later life gave back.  It is
installed into an environment of its own below ``var/``, never beside the project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from threading import Thread
from time import perf_counter, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "var" / "killing" / "thingsboard"
PACKAGE = "thingsboard-gateway==3.8.5"
KINDS = ("memory", "file", "sqlite")
_PROGRAM = Path(__file__).with_name("thingsboard_process.py")
_INSTALL_S = 300
_READY_S = 60.0
_LIVES_S = (0.05, 0.8)

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
    """Kill each storage ``kills`` times with its platform away and as often with it reached (within
    ``seconds`` in all, if given).  Never raises: what can't be done here is a note."""
    try:
        python, version = install(show)
    except NotInstalled as why:
        return {"note": f"not compared: {why}"}
    losses: list[Loss] = []
    each_s = None if seconds is None else seconds / (2 * len(KINDS))
    for kind in KINDS:
        for linked in (False, True):
            try:
                losses.append(_kill_one(python, kind, linked, kills, seed, show, each_s))
            except (OSError, TimeoutError, ValueError) as error:
                return {"version": version, "note": f"not compared: {kind} storage: {error}"}
    return {"version": version, "storages": [asdict(loss) for loss in losses]}


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


def _kill_one(
    python: Path,
    kind: str,
    linked: bool,
    kills: int,
    seed: str,
    show: Show,
    seconds: float | None,
) -> Loss:
    rng = Random(f"{seed}/{kind}/{linked}")
    accepted: list[int] = []
    came: Counter[int] = Counter()
    lives: list[int] = []
    began = perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="shk-tb-"))
    try:
        while len(lives) < kills and (seconds is None or perf_counter() - began < seconds):
            with _Life(python, kind, folder, len(accepted) + 1, linked, came, accepted) as life:
                life.ready()
                sleep(rng.uniform(*_LIVES_S))
            lives.append(len(accepted))
            show(f"thingsboard-gateway's {kind} storage, {len(lives)} kills")
        with _Life(python, kind, folder, len(accepted) + 1, linked, came, []) as last:
            last.ready()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lost = [number for number in accepted if not came[number]]
    bounds = list(zip([0, *lives], lives, strict=False))
    return Loss(
        storage=kind,
        platform="reached" if linked else "away",
        kills=len(lives),
        accepted=len(accepted),
        lost=len(lost),
        twice=sum(times > 1 for times in came.values()),
        kills_with_loss=sum(
            any(not came[number] for number in accepted[low:high]) for low, high in bounds
        ),
    )


class _Life:
    """One process from its start to SIGKILL; at the end everything that it said is counted."""

    def __init__(
        self,
        python: Path,
        kind: str,
        folder: Path,
        first: int,
        linked: bool,
        came: Counter[int],
        accepted: list[int],
    ) -> None:
        arguments = [str(python), str(_PROGRAM), kind, str(folder), str(first), str(int(linked))]
        self._process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
        self._came = came
        self._accepted = accepted
        self._is_ready = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _Life:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def ready(self) -> None:
        """Until it has read back what was there.  Raises ValueError, TimeoutError."""
        deadline = perf_counter() + _READY_S
        while not self._is_ready:
            if self._process.poll() is not None:
                raise ValueError(f"it ended with status {self._process.returncode}")
            if perf_counter() > deadline:
                raise TimeoutError(f"it was not ready within {_READY_S:.0f} s")
            sleep(0.005)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, number = line.decode().strip().partition(" ")
            match word:
                case "READY":
                    self._is_ready = True
                case "A":
                    self._accepted.append(int(number))
                case "R":
                    self._came[int(number)] += 1
                case _:
                    pass
