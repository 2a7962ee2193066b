"""Commands about orders are carried out in bites that don't hold up the tills."""

from __future__ import annotations

from typing import Any

from cloud_link.orders import in_parts, lines_of
from hub.contract.oms import Command


def command(kind: str, lines: int | None = None) -> Command:
    data: dict[str, Any] = {} if lines is None else {"lines": [{}] * lines}
    return Command(cursor="c", id="i", type=kind, data=data, issued_at_ms=1)


def sizes(*commands: Command) -> list[int]:
    return [len(part) for part in in_parts(commands, lines_of)]


def test_small_orders_and_words_about_orders_count_for_the_work_they_are() -> None:
    assert sizes(*[command("order.assigned", 3)] * 100) == [30, 30, 30, 10]
    assert sizes(*[command("order.changed")] * 30) == [13, 13, 4]


def test_an_order_that_is_too_big_for_a_bite_is_one_by_itself() -> None:
    big = command("order.assigned", 500)
    assert sizes(big, big, command("order.assigned", 1)) == [1, 1, 1]


def test_other_commands_come_in_one_bite() -> None:
    assert sizes(*[command("dataset.changed")] * 200) == [200]
