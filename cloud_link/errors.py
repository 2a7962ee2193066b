"""How a call to the OMS can fail, told apart by what has to be done about it."""

from __future__ import annotations

from hub.contract.oms import OmsProblem


class OmsError(Exception):
    """Base: a call did not give what was asked for.  ``problem`` is the OMS's own word, if any."""

    def __init__(self, detail: str, problem: OmsProblem | None = None) -> None:
        super().__init__(detail)
        self.problem = problem


class Transient(OmsError):
    """No answer, or "not now": the same call can succeed later.  Never exhausts anything.

    ``retry_after_s`` is the least time to wait.  ``unsent``: it is certain that nothing left.
    """

    def __init__(
        self,
        detail: str,
        problem: OmsProblem | None = None,
        retry_after_s: float = 0.0,
        *,
        unsent: bool = False,
    ) -> None:
        super().__init__(detail, problem)
        self.retry_after_s = retry_after_s
        self.unsent = unsent


class Refused(OmsError):
    """Credentials, certificate, store id or contract version are not accepted: a person has to
    correct the settings or the OMS.  Asked again at the slowest pace."""


class Permanent(OmsError):
    """The OMS can't take this very request; repeating it as it is changes nothing."""


class TooLarge(Permanent):
    """The request has too many bytes or events."""


class CursorGone(OmsError):
    """The log no longer reaches back to the cursor: begin anew."""


class SequenceGap(OmsError):
    """Events before the first one sent are missing at the OMS; ``problem.expected`` is next."""


class PoisonEvent(OmsError):
    """The OMS can't understand one event; its place is to be taken by a marker."""


class SessionOver(OmsError):
    """Base of what ends a session; the link says HELLO again."""


class HelloRequired(SessionOver):
    """The OMS doesn't know this session (any more)."""


class OmsRestored(SessionOver):
    """The OMS has another incarnation than at HELLO: it came back from a backup."""


class SequenceReused(SessionOver):
    """The place of an event holds another event at the OMS: this database was copied or restored
    without its knowing."""


class Superseded(SessionOver):
    """Another box has taken this hub's place."""
