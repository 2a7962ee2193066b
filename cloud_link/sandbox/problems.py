"""Ending a request with a problem as its answer."""

from __future__ import annotations

from typing import Any

from hub.contract.oms import OmsCode, OmsProblem, oms_problem


class Refusal(Exception):
    """The answer "no": carries the problem to send."""

    def __init__(self, problem: OmsProblem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


def refuse(code: OmsCode, detail: str, **members: Any) -> Refusal:
    """A refusal to raise; ``members`` are further fields of the problem."""
    return Refusal(oms_problem(code, detail, **members))
