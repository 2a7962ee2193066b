"""Who is signed in to the page: cookie, CSRF token, idleness, role."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from hub.contract.base import Outgoing
from hub.contract.local import PageUser, TechnicianSignIn
from hub.contract.problems import Code, Refusal, refuse
from hub.domain.staff import PageRole
from hub.security.sessions import NewSession, Sessions
from hub.service import pagestaff
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.gate import Gate
from hub.service.handlers.signin import PinDesk
from hub.service.handlers.webaccess import (
    CloseWebSession,
    NoteAccess,
    OpenStaffSession,
    OpenWebSession,
)
from hub.storage import websessions
from hub.storage.errors import StorageError
from hub.web.answers import address_of, too_often
from hub.web.limits import RateLimit
from hub.web.rights import MAY, OPEN_CALLS, check
from hub.web.technician import TechnicianCode

_log = logging.getLogger(__name__)

COOKIE: Final = "__Host-store-hub"
CSRF_HEADER: Final = "X-CSRF-Token"
PLACE: Final = Caller(CallerKind.WEB, "page")
"""Whose wrong PINs are counted: the page is one place, like a till."""
_USES_MAX: Final = 200
_RIGHT_COST: Final = 0.1
"""Of a try, for one that was right: a shop may be behind one address; but nobody signs in without
end."""


class SignedInPage(Outgoing):
    """Answer of sign-in and of ``GET /api/1/session``; ``csrf`` goes back in ``X-CSRF-Token``."""

    role: str
    csrf: str
    idle_s: int
    ends_in_s: int


@dataclass(frozen=True, slots=True)
class PageSession:
    """A session that was found good; ``staff_id`` None: by the technician's code."""

    digest: str
    cookie: str
    role: PageRole
    ends_in_ms: int
    staff_id: str | None
    name: str

    @property
    def caller(self) -> Caller:
        """As the audit log names it: the role, enough of the digest to tell two sessions apart,
        and the person."""
        return _caller(self.role, self.digest, self.staff_id)

    @property
    def signed_in_by(self) -> Literal["code", "pin"]:
        """How."""
        return "code" if self.staff_id is None else "pin"


SESSION: Final = web.RequestKey("session", PageSession)
"""Where a request that may change something carries whose it is."""


class Access:
    """Sign-in, sign-out, and the check before everything else.

    The longest life of a session is in the database; idleness is counted here, so that reading the
    page costs no write.  After a restart of the hub every session counts as just used.  A member
    of staff's session is looked up anew each time: it ends with their place on the staff or their
    PIN, and has the role they have now.
    """

    def __init__(
        self,
        gate: Gate,
        sessions: Sessions,
        technician: TechnicianCode,
        pins: PinDesk | None,
        *,
        idle_s: int,
        max_s: int,
    ) -> None:
        self._gate = gate
        self._sessions = sessions
        self._technician = technician
        self._pins = pins
        self._idle_s = idle_s
        self._max_s = max_s
        self._used_s: dict[str, float] = {}
        self._tries = RateLimit(gate.clock, capacity=5, refill_s=300)

    async def sign_in(self, request: web.Request, asked: TechnicianSignIn) -> web.Response:
        """By the technician's code, or by staff number and PIN.  Errors: ``forbidden``,
        ``unauthenticated``, ``busy`` after too many tries."""
        address = address_of(request)
        if wait_s := self._tries.take(address):
            raise too_often(wait_s)
        made = self._sessions.issue()
        if asked.code is not None:
            await self._open_by_code(made, address, asked.code.get_secret_value())
        else:
            await self._open_by_pin(made, address, asked)
        self._tries.give_back(address, 1 - _RIGHT_COST)
        self._use(made.digest)
        found = self._find(made.cookie)
        if found is None:
            raise refuse(Code.UNAUTHENTICATED, "The staff list has just changed: sign in again.")
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

    async def _open_by_code(self, made: NewSession, address: str, code: str) -> None:
        was_open = self._technician.is_open
        if not self._technician.spend(code):
            if was_open and not self._technician.is_open:
                await self._gate.internal(HUB, NoteAccess("web.code-void", address))
            raise refuse(
                Code.FORBIDDEN,
                "This is not the technician's code, or it was used before. On the hub's box, "
                "`store-hub pair --technician` prints a new one.",
            )
        try:
            await self._gate.internal(
                _caller(PageRole.TECHNICIAN, made.digest, None),
                OpenWebSession(bytes.fromhex(made.digest), self._max_s * 1000, address),
            )
        except (Refusal, StorageError):
            self._technician.give_back()
            raise

    async def _open_by_pin(self, made: NewSession, address: str, asked: TechnicianSignIn) -> None:
        assert asked.staff_no is not None
        assert asked.pin is not None
        if self._pins is None:
            raise refuse(Code.UNAVAILABLE, "This hub takes no PINs: use the technician's code.")
        pin_hash = await self._pins.know(
            self._gate, PLACE, asked.staff_no, asked.pin.get_secret_value()
        )
        await self._gate.internal(
            Caller(CallerKind.WEB, f"staff-{made.digest[:8]}", asked.staff_no),
            OpenStaffSession(
                bytes.fromhex(made.digest), self._max_s * 1000, address, asked.staff_no, pin_hash
            ),
        )

    async def sign_out(self, session: PageSession, why: str = "signed out") -> None:
        """End a session: at once for whatever else is asked with it, and until the hub starts anew
        also when it can't be written down."""
        self._used_s[session.digest] = -math.inf
        await self._gate.internal(
            session.caller, CloseWebSession(bytes.fromhex(session.digest), session.role, why)
        )
        self._used_s.pop(session.digest, None)

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

    def user(self, session: PageSession) -> PageUser:
        """Who it is and what they may do."""
        return PageUser(
            user=session.name,
            role=session.role.value,
            may=tuple(sorted(MAY[session.role])),
            expires_at_ms=self._gate.clock.wall_ms() + session.ends_in_ms,
            signed_in_by=session.signed_in_by,
        )

    async def need(self, request: web.Request, *, counts: bool = True) -> PageSession:
        """The session of a request; ``counts``: somebody is there.  Errors: ``unauthenticated``."""
        session = self._find(request.cookies.get(COOKIE, ""))
        if session is None:
            raise refuse(
                Code.UNAUTHENTICATED, "Sign in with the technician's code or your staff PIN."
            )
        if self._is_idle(session.digest):
            try:
                await self.sign_out(session, "idle")
            except (Refusal, StorageError) as error:
                _log.warning("that a session is over could not be written down: %s", error)
            raise refuse(Code.UNAUTHENTICATED, "Nobody used this page for a while: sign in again.")
        if counts:
            self._use(session.digest)
        return session

    async def guard(self, request: web.Request) -> None:
        """The one check before every call that changes something: session, CSRF token, role.

        Errors: ``unauthenticated``; ``forbidden`` without the session's CSRF token, or when the
        session's role may not do it.
        """
        match = request.match_info
        if request.method in {"GET", "HEAD"} or match.http_exception is not None:
            return
        resource = match.route.resource
        route = "" if resource is None else resource.canonical
        if (request.method, route) in OPEN_CALLS:
            return
        session = await self._need_to_change(request)
        check(session.role, request.method, route, match)
        request[SESSION] = session

    async def _need_to_change(self, request: web.Request) -> PageSession:
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
        row = websessions.get(self._gate.rows, bytes.fromhex(digest), budget_ms)
        if row is None:
            return None
        ends_in_ms = row.expires_budget_ms - budget_ms
        if row.staff_id is None:
            role = PageRole.TECHNICIAN
            return PageSession(digest, cookie, role, ends_in_ms, None, role.value)
        member = pagestaff.of_session(self._gate.rows, row)
        if member is None or member.role is None:
            return None
        return PageSession(digest, cookie, member.role, ends_in_ms, member.staff_id, member.name)

    def _is_idle(self, digest: str) -> bool:
        now_s = self._gate.clock.monotonic_s()
        return now_s - self._used_s.setdefault(digest, now_s) > self._idle_s

    def _use(self, digest: str) -> None:
        self._used_s.pop(digest, None)
        self._used_s[digest] = self._gate.clock.monotonic_s()
        while len(self._used_s) > _USES_MAX:
            self._used_s.pop(next(iter(self._used_s)))


def _caller(role: PageRole, digest: str, staff_id: str | None) -> Caller:
    return Caller(CallerKind.WEB, f"{role}-{digest[:8]}", staff_id)
