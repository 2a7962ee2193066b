"""An interrupted campaign leaves nothing behind, and doesn't claim what it hasn't shown."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from scripts.campaigns import __main__ as campaign
from scripts.campaigns.kinds import Kind
from scripts.campaigns.summary import summary
from scripts.campaigns.trial import State, Trial
from tests.unit.campaigns.test_campaign import LAST

WORKS = """
import json, os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({made!r}, "w").write(str(grandchild.pid))
try:
    print(json.dumps({line!r} | {{"done": False}}), flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    {then}
finally:
    os.remove({made!r})
"""


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _dead(pid: int) -> None:
    """The kernel buries what was killed when it finds the time."""
    async with asyncio.timeout(60):
        while _alive(pid):
            await asyncio.sleep(0.01)


async def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> tuple[Trial, int]:
    """A kind that has made a file and a process, and what that process is."""
    made = tmp_path / "made"
    (tmp_path / "some_kind.py").write_text(WORKS.format(made=str(made), line=LAST, then=then))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial = Trial(Kind("some", "a kind", "some_kind"), seconds=300)
    told = asyncio.Event()
    task = asyncio.create_task(
        trial.run(tmp_path / "log", lambda: told.set() if trial.told else None)
    )
    async with asyncio.timeout(60):
        await told.wait()
    grandchild = int(made.read_text())
    assert _alive(grandchild)
    task.cancel()
    if then != "pass":
        async with asyncio.timeout(60):
            while not (tmp_path / "made.stubborn").exists():
                await asyncio.sleep(0.01)
        task.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await task
    return trial, grandchild


async def test_an_interrupted_kind_removes_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, grandchild = await begun(tmp_path, monkeypatch, "pass")

    assert (trial.state, trial.problems) == (State.STOPPED, ["was interrupted"])
    assert not (tmp_path / "made").exists()
    await _dead(grandchild)
    assert trial.took_s > 0
    assert not summary([trial], minutes=1, took_s=1)["ok"]


async def test_a_second_interruption_does_not_wait_for_a_stubborn_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = f"open({str(tmp_path / 'made.stubborn')!r}, 'w').close(); time.sleep(600)"
    monkeypatch.setattr("scripts.campaigns.trial.TIDY_S", 600.0)

    trial, grandchild = await begun(tmp_path, monkeypatch, stubborn)

    assert (trial.state, trial.problems) == (State.STOPPED, ["was interrupted"])
    await _dead(grandchild)


async def test_every_lane_may_tidy_up_however_soon_the_other_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tidied = tmp_path / "tidied"
    tidy = f"import time; time.sleep(1); open({str(tidied)!r}, 'w').close()"
    lanes = []
    for name, then in (("quick", "pass"), ("slow", tidy)):
        made = str(tmp_path / name)
        (tmp_path / f"{name}_kind.py").write_text(WORKS.format(made=made, line=LAST, then=then))
        lanes.append([Trial(Kind(name, "a kind", f"{name}_kind"), seconds=300)])
    task = asyncio.create_task(campaign._run(lanes, tmp_path, quiet=True))
    async with asyncio.timeout(60):
        while not all(lane[0].told for lane in lanes):
            await asyncio.sleep(0.01)

    os.kill(os.getpid(), signal.SIGINT)

    async with asyncio.timeout(60):
        assert not await task
    assert tidied.exists()
    assert {lane[0].state for lane in lanes} == {State.STOPPED}


async def test_a_kind_that_prints_too_much_has_failed_and_the_campaign_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.campaigns.trial.LINE_MAX_BYTES", 1000)
    line = json.dumps(LAST)
    (tmp_path / "some_kind.py").write_text(f"print('x' * 9000)\nprint({line!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial = Trial(Kind("some", "a kind", "some_kind"), seconds=1)

    await trial.run(tmp_path / "log", lambda: None)

    assert trial.state is State.FAILED
    assert "wrote a line of more than" in trial.problems[0]


def test_a_finding_in_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    trial = Trial(Kind("some", "a kind", "some_kind"), seconds=1, state=State.FAILED)
    what = "expected [/done] or [red]x[/]"
    trial.told = LAST | {"note": what, "findings": [{"what": what, "replay": "python -m x"}]}

    campaign._show([trial], {"missing": [f"some: {what}"], "skipped": {}}, of_these=True)

    assert capsys.readouterr().out.count("[/done]") >= 2


@pytest.mark.parametrize(
    "wrong", [("--minutes", "0"), ("--minutes", "nan"), ("--only", ","), ("--only", "luck")]
)
def test_a_campaign_of_nothing_is_refused(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        campaign.main(wrong)
    assert left.value.code == 2
    assert "error:" in capsys.readouterr().err
