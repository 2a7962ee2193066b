"""Who is shown lost after the broker came back doesn't depend on the wall clock's jumps."""

from __future__ import annotations

import pytest

from hub.app.messaging import unheard_before_ms

UP_AT_MS = 1_000_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize("jump_ms", [0, HOUR_MS, -HOUR_MS])
@pytest.mark.parametrize("heard_after_jump", [False, True])
def test_a_device_heard_since_is_not_lost(jump_ms: int, heard_after_jump: bool) -> None:
    """Heard 5 s after the start; the clock jumps at once or afterwards; looked at after 60 s."""
    before_ms = unheard_before_ms(UP_AT_MS, UP_AT_MS + 60_000 + jump_ms, 60.0)
    seen_at_ms = UP_AT_MS + 5_000 + (jump_ms if heard_after_jump else 0)
    assert seen_at_ms >= before_ms


def test_a_device_not_heard_since_is_lost() -> None:
    assert unheard_before_ms(UP_AT_MS, UP_AT_MS + 60_000, 60.0) > UP_AT_MS - 1
