"""Who works in the simulated shop, and what it sells."""

from __future__ import annotations

from dataclasses import dataclass

from devices.tills.till import Person, VirtualTill
from hub.contract.staff import Approval, DecideApproval


@dataclass(frozen=True, slots=True)
class Crew:
    """Staff id → PIN of who works at tills, and of the manager; what is sold; whether there is
    work in steps, each built on what the hub was told before (baskets, counts, returns)."""

    people: dict[str, str]
    manager: Person
    codes: tuple[str, ...]
    in_steps: bool = True
    by_card: bool = False
    """Nobody pays otherwise, and nothing is done but selling and taking back."""


class Manager:
    """Approves on the spot, and has goods brought from the back."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.till: VirtualTill | None = None

    async def approve(self, asking: VirtualTill, approval_id: str) -> bool:
        command = DecideApproval.model_validate(
            {
                "approval_id": approval_id,
                "approve": True,
                "staff_id": self._person.staff_id,
                "pin": self._person.pin,
            }
        )
        answer = await asking.hub.request(command, Approval, until_answered=True)
        return answer.state == "approved"

    async def deliver(self, goods: dict[str, int]) -> None:
        assert self.till is not None
        await self.till.receive(goods, "from the back room")
