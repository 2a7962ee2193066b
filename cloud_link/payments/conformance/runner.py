"""Running the checks and telling the outcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from cloud_link.payments.conformance.bench import Bench, Failed, Skipped
from cloud_link.payments.conformance.checks import CHECKS, Check

CHECK_TIMEOUT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check; ``detail`` says what was seen, or why it was left out."""

    name: str
    outcome: Literal["ok", "failed", "skipped"]
    detail: str


async def run_checks(bench: Bench, checks: Sequence[Check] = CHECKS) -> list[Result]:
    """One after another.  Never raises for what the adapter does."""
    return [await _run(check, bench) for check in checks]


async def _run(check: Check, bench: Bench) -> Result:
    name = getattr(check, "__name__", "check").replace("_", " ")
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return Result(name, "ok", await check(bench))
    except Skipped as skipped:
        return Result(name, "skipped", str(skipped))
    except Failed as failed:
        return Result(name, "failed", str(failed))
    except TimeoutError:
        return Result(name, "failed", f"no outcome within {CHECK_TIMEOUT_S} s")
    except Exception as error:
        return Result(name, "failed", f"the adapter raised {type(error).__name__}: {error}")


def as_table(results: Sequence[Result]) -> str:
    """For people."""
    width = max((len(one.name) for one in results), default=0)
    marks = {"ok": "ok  ", "failed": "FAIL", "skipped": "--  "}
    lines = [f"{marks[one.outcome]}  {one.name:<{width}}  {one.detail}" for one in results]
    counts = {kind: sum(one.outcome == kind for one in results) for kind in marks}
    told = f"{counts['ok']} kept, {counts['failed']} failed, {counts['skipped']} left out"
    return "\n".join([*lines, told])


def as_json(results: Sequence[Result]) -> str:
    """For machines."""
    good = all(one.outcome != "failed" for one in results)
    return json.dumps({"ok": good, "checks": [asdict(one) for one in results]}, ensure_ascii=False)
