"""Verifying a PIN before the writer is asked: slow on purpose, so it runs in a thread of its own.

A try is counted first and forgiven when the PIN was right; otherwise many tries at once could all
be verified before the first failure is counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from hub.contract.problems import Code, Refusal, problem, refuse
from hub.contract.staff import DecideApproval, SignIn
from hub.security import pins
from hub.security.errors import PinHashDamaged
from hub.service.caller import Caller
from hub.service.gate import Gate
from hub.service.handlers.staff import BeginTry, EndTry, VerifiedDecision, VerifiedSignIn

MAX_WAITING = 16
MAX_PER_CALLER = 2
RETRY_MS = 1000


class PinDesk:
    """Verifies PINs, one at a time; more than 16 waiting, or two of one device, are answered
    ``busy``.  ``verify`` compares a PIN with its stored form; it may take its time."""

    def __init__(self, verify: Callable[[str, str | None], bool] = pins.verify_pin) -> None:
        self._verify_pin = verify
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hub-pin")
        self._under_way: dict[bytes, asyncio.Task[str]] = {}
        self._per_caller: Counter[str] = Counter()

    async def sign_in(self, gate: Gate, caller: Caller, command: SignIn) -> VerifiedSignIn:
        """The command to run once the PIN is known to be right.  Errors: ``unauthenticated``."""
        await self._verify(gate, caller, command.staff_id, command.pin.get_secret_value())
        return VerifiedSignIn(staff_id=command.staff_id)

    async def decide(self, gate: Gate, caller: Caller, command: DecideApproval) -> VerifiedDecision:
        """The command to run once the manager's PIN is known to be right."""
        await self._verify(gate, caller, command.staff_id, command.pin.get_secret_value())
        return VerifiedDecision(
            approval_id=command.approval_id, approve=command.approve, staff_id=command.staff_id
        )

    async def know(self, gate: Gate, caller: Caller, staff_id: str, pin: str) -> str:
        """The stored form of a PIN that was right, for a sign-in that ends when it is another.
        ``caller.id`` names the place whose wrong tries are counted.  Errors: ``unauthenticated``,
        ``forbidden`` while locked out, ``busy``."""
        return await self._verify(gate, caller, staff_id, pin)

    async def _verify(self, gate: Gate, caller: Caller, staff_id: str, pin: str) -> str:
        """One try.  The same try made again while it is verified (a message delivered twice, an
        impatient device) shares its outcome: it must not count as another."""
        same = sha256(f"{caller.key}\0{staff_id}\0{pin}".encode()).digest()
        task = self._under_way.get(same)
        if task is None:
            if len(self._under_way) >= MAX_WAITING:
                raise _busy("Many PINs are being verified: repeat shortly.")
            if self._per_caller[caller.key] >= MAX_PER_CALLER:
                raise _busy("PINs typed here are still being verified: repeat shortly.")
            task = asyncio.create_task(self._try(gate, caller, staff_id, pin), name="pin-try")
            self._under_way[same] = task
            self._per_caller[caller.key] += 1
            task.add_done_callback(lambda _: self._ended(same, caller.key))
        return await asyncio.shield(task)

    def _ended(self, same: bytes, caller_key: str) -> None:
        del self._under_way[same]
        self._per_caller[caller_key] -= 1
        if not self._per_caller[caller_key]:
            del self._per_caller[caller_key]

    async def _try(self, gate: Gate, caller: Caller, staff_id: str, pin: str) -> str:
        stored: str | None = await gate.internal(caller, BeginTry(staff_id, caller.id))
        loop = asyncio.get_running_loop()
        try:
            right = await loop.run_in_executor(self._pool, self._verify_pin, pin, stored)
        except PinHashDamaged as error:
            raise refuse(Code.CONFLICT, str(error)) from error
        await gate.internal(caller, EndTry(staff_id, caller.id, right and stored is not None))
        if stored is None or not right:
            raise refuse(Code.UNAUTHENTICATED, "Staff id or PIN is wrong: try again.")
        return stored

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _busy(detail: str) -> Refusal:
    return Refusal(problem(Code.BUSY, detail, retry_after_ms=RETRY_MS))
