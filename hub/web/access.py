"""Who is signed in to the page: cookie, CSRF token, idleness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from hub.contract.base import Outgoing
from hub.contract.problems import Code, refuse
from hub.security.sessions import Sessions
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.gate import Gate
from hub.service.handlers.webaccess import CloseWebSession, NoteAccess, OpenWebSession
from hub.storage import devicerows
from hub.web.answers import address_of, too_often
from hub.web.limits import RateLimit
from hub.web.technician import TechnicianCode

COOKIE: Final = "__Host-store-hub"
CSRF_HEADER: Final = "X-CSRF-Token"
ROLE: Final = "technician"
_USES_MAX: Final = 200


class SignedInPage(Outgoing):
    """Answer of sign-in and of ``GET /api/1/session``; ``csrf`` goes back in ``X-CSRF-Token``."""

    role: str
    csrf: str
    idle_s: int
    ends_in_s: int


@dataclass(frozen=True, slots=True)
class PageSession:
    """A session that was found good."""

    digest: str
    cookie: str
    role: str
    ends_in_ms: int

    @property
    def caller(self) -> Caller:
        """As the audit log names it: the role, and enough of the digest to tell two apart."""
        return Caller(CallerKind.WEB, f"{self.role}-{self.digest[:8]}")


class Access:
    """Sign-in, sign-out, and the check before everything else.

    The longest life of a session is in the database; idleness is counted here, so that reading the
    page costs no write.  After a restart of the hub every session counts as just used.
    """

    def __init__(
        self,
        gate: Gate,
        sessions: Sessions,
        technician: TechnicianCode,
        *,
        idle_s: int,
        max_s: int,
    ) -> None:
        self._gate = gate
        self._sessions = sessions
        self._technician = technician
        self._idle_s = idle_s
        self._max_s = max_s
        self._used_s: dict[str, float] = {}
        self._tries = RateLimit(gate.clock, capacity=5, refill_s=300)

    async def sign_in(self, request: web.Request, code: str) -> web.Response:
        """Spend the technician's code.  Errors: ``forbidden``, ``busy`` after too many tries."""
        if wait_s := self._tries.take(address_of(request)):
            raise too_often(wait_s)
        was_open = self._technician.is_open
        if not self._technician.spend(code):
            if was_open and not self._technician.is_open:
                await self._gate.internal(HUB, NoteAccess("web.code-void", address_of(request)))
            raise refuse(
                Code.FORBIDDEN,
                "This is not the technician's code, or it was used before. On the hub's box, "
                "`store-hub pair --technician` prints a new one.",
            )
        made = self._sessions.issue()
        await self._gate.internal(
            Caller(CallerKind.WEB, ROLE),
            OpenWebSession(
                bytes.fromhex(made.digest), ROLE, self._max_s * 1000, address_of(request)
            ),
        )
        self._use(made.digest)
        found = self._find(made.cookie)
        assert found is not None
        response = web.json_response(
            self.view(found).model_dump(), headers={"Cache-Control": "no-store"}
        )
        response.set_cookie(
            COOKIE,
            made.cookie,
            max_age=self._max_s,
            secure=True,
            httponly=True,
            samesite="Strict",
            path="/",
        )
        return response

    async def sign_out(self, session: PageSession, why: str = "signed out") -> None:
        """End a session."""
        self._used_s.pop(session.digest, None)
        await self._gate.internal(
            session.caller, CloseWebSession(bytes.fromhex(session.digest), why)
        )

    def view(self, session: PageSession) -> SignedInPage:
        """What the page may know of its session."""
        csrf = self._sessions.csrf_token(session.cookie)
        assert csrf is not None
        return SignedInPage(
            role=session.role,
            csrf=csrf,
            idle_s=self._idle_s,
            ends_in_s=session.ends_in_ms // 1000,
        )

    async def need(self, request: web.Request, *, counts: bool = True) -> PageSession:
        """The session of a request; ``counts``: somebody is there.  Errors: ``unauthenticated``."""
        session = self._find(request.cookies.get(COOKIE, ""))
        if session is None:
            raise refuse(Code.UNAUTHENTICATED, "Sign in with the technician's code.")
        if self._is_idle(session.digest):
            await self.sign_out(session, "idle")
            raise refuse(Code.UNAUTHENTICATED, "Nobody used this page for a while: sign in again.")
        if counts:
            self._use(session.digest)
        return session

    async def need_to_change(self, request: web.Request) -> PageSession:
        """The session of a request that changes something.  Errors: ``unauthenticated``,
        ``forbidden`` without the session's CSRF token."""
        session = await self.need(request)
        if not self._sessions.csrf_fits(session.cookie, request.headers.get(CSRF_HEADER, "")):
            raise refuse(
                Code.FORBIDDEN,
                f"The header {CSRF_HEADER} doesn't fit this session: load the page again.",
            )
        return session

    def still_good(self, session: PageSession) -> bool:
        """Whether a stream may go on."""
        return self._find(session.cookie) is not None and not self._is_idle(session.digest)

    def _find(self, cookie: str) -> PageSession | None:
        digest = self._sessions.digest_of(cookie)
        if digest is None:
            return None
        budget_ms = self._gate.budget.budget_ms()
        row = devicerows.session(self._gate.rows, bytes.fromhex(digest), budget_ms)
        return None if row is None else PageSession(digest, cookie, row[0], row[1] - budget_ms)

    def _is_idle(self, digest: str) -> bool:
        now_s = self._gate.clock.monotonic_s()
        return now_s - self._used_s.setdefault(digest, now_s) > self._idle_s

    def _use(self, digest: str) -> None:
        self._used_s.pop(digest, None)
        self._used_s[digest] = self._gate.clock.monotonic_s()
        while len(self._used_s) > _USES_MAX:
            self._used_s.pop(next(iter(self._used_s)))
