"""A page that looks again by itself doesn't keep a session alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubparts import ShiftedClock, hub_parts


@pytest.mark.parametrize(
    "path", ["/api/1/cloud", "/api/1/baskets", "/api/1/actions", "/api/1/session", "/api/1/me"]
)
@pytest.mark.parametrize(("headers", "lives"), [({}, True), ({"X-Unattended": "1"}, False)])
async def test_what_a_page_asks_by_itself_does_not_keep_the_session(
    tmp_state: Path, path: str, headers: dict[str, str], lives: bool
) -> None:
    clock = ShiftedClock()
    async with hub_parts(tmp_state, clock=clock, idle_s=600) as hub, hub.technician() as (http, _):
        clock.ahead_s += 400
        async with http.get(path, headers=headers) as answer:
            assert answer.status == 200
        clock.ahead_s += 400
        async with http.get("/api/1/session") as answer:
            assert answer.status == (200 if lives else 401)
