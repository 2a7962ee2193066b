"""What can go wrong for a device, each with its next step."""

from __future__ import annotations

from hub.contract.problems import Problem


class KitError(Exception):
    """The root of everything this library raises on purpose."""


class NotPaired(KitError):
    """The device's folder holds no pairing: open pairing on the hub's page and call ``pair``."""


class IdentityDamaged(KitError):
    """The device's folder can't be read as it is: pair the device again."""


class PairingFailed(KitError):
    """Pairing or renewal did not happen; nothing was changed on this device."""


class HubUnreachable(PairingFailed):
    """No hub answered there: check the address, and that both are on the same network."""


class WrongHub(PairingFailed):
    """Whoever answered is not the hub of the pairing code: its CA has another fingerprint."""


class PairingRefused(PairingFailed):
    """The hub said no; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


class Refused(KitError):
    """The hub answered: no.  Nothing was done; the same request would be refused again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


class Unanswered(KitError):
    """No final answer in time.  It may have been done: repeat it with the same ``key``.

    ``problem`` is the last retryable refusal, when there was one; ``cause`` says what was last
    seen (``the link is down``, ``no hub listens``, ``no answer``...).
    """

    def __init__(self, key: str | None, cause: str, problem: Problem | None = None) -> None:
        again = f"; repeat with the key {key}" if key is not None else ""
        super().__init__(f"no answer in time: {cause}{again}")
        self.key = key
        self.cause = cause
        self.problem = problem


class BadAnswer(KitError):
    """The hub said yes with a result this version can't read: update the device's software."""


class TooMuch(KitError):
    """This device asks more than it may have under way at once: wait for answers."""


class LinkLost(KitError):
    """The connection to the broker ended; the session connects again by itself."""


class JournalError(KitError):
    """The root of what can be wrong with the journal on disk."""


class JournalFull(JournalError):
    """The journal is at its bound: stop taking sales until the hub has answered the old ones."""


class JournalBroken(JournalError):
    """The disk refused a write: nothing was journalled and nothing sent.  Mend the disk."""


class JournalInUse(JournalError):
    """Another process of this device has the journal open: stop that one first."""


class JournalForeign(JournalError):
    """The journal holds what another store's hub must still get: connect to that hub first, or move
    the file aside by hand."""
