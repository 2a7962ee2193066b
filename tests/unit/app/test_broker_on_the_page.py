"""What the status page says about the broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app.messaging import Messaging
from hub.mqtt.supervisor import BrokerState, BrokerStatus


@pytest.mark.parametrize(
    ("reason", "caution", "shown"),
    [
        ("", "", ""),
        ("", "silent connections stay", "silent connections stay"),
        ("broker ended by SIGKILL", "silent connections stay", "broker ended by SIGKILL"),
    ],
)
def test_what_the_broker_cannot_do_is_said_unless_it_is_down(
    reason: str, caution: str, shown: str
) -> None:
    status = BrokerStatus(BrokerState.RUNNING, reason, caution=caution)
    messaging = SimpleNamespace(
        broker=SimpleNamespace(status=status), session=SimpleNamespace(is_up=True)
    )

    assert Messaging.status(cast(Any, messaging)).detail == shown
