"""The least that a hub could do: the same broker, the same client library, and every request is
answered with its own bytes.  ``python -m scripts.benchmarks.echo HUB_STATE FOLDER``.

It borrows the certificates and the devices of a hub's state directory and prints one line of JSON
when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from hub.app.ports import free_port
from hub.clock import Randomness, SystemClock, SystemRandomness
from hub.contract.topics import RequestTopic, Topics
from hub.mqtt.config import BrokerPlan, TlsFiles, find_broker
from hub.mqtt.dynsec import HUB_USERNAME, DeviceAccess, HubAccess, build_document
from hub.mqtt.endpoint import LastWill, SessionConfig, Subscription, UnixEndpoint
from hub.mqtt.frames import InboundProperties
from hub.mqtt.session import HubSession
from hub.mqtt.supervisor import BrokerSupervisor
from hub.security.authority import Authority
from hub.security.passwords import hash_password
from hub.storage import devicerows
from hub.storage.readers import LoopReader
from scripts.benchmarks.seeding import STORE
from scripts.benchmarks.till import HOST

_START_S = 20.0
TOPICS = Topics(STORE)


def _plan(state: Path, folder: Path) -> BrokerPlan:
    """A broker of its own with the hub's certificates."""
    now_ms = SystemClock().wall_ms()
    authority = Authority.open(state / "tls", store_name="Store", now_ms=now_ms)
    return BrokerPlan(
        run_dir=folder / "run",
        state_dir=folder / "mqtt",
        tls=TlsFiles(
            ca=authority.bundle_path,
            certificate=authority.server_certificate_path,
            key=authority.server_key_path,
            crl=authority.crl_path,
        ),
        password_port=None,
        mtls_port=free_port(HOST),
        bind=HOST,
    )


def _accounts(state: Path, password_hash: str) -> str:
    with LoopReader(state / "hub.db") as rows:
        devices = [DeviceAccess(row.device_id, "mtls") for row in devicerows.paired(rows)]
    return build_document(TOPICS, HubAccess(password_hash), devices)


def _echoing(plan: BrokerPlan, password: str, randomness: Randomness) -> HubSession:
    def on_message(topic: str, payload: bytes, properties: InboundProperties) -> None:
        where = TOPICS.parse(topic)
        if isinstance(where, RequestTopic):
            reply = TOPICS.reply(where.device)
            session.publish(reply, payload, correlation=properties.correlation)

    session = HubSession(
        SessionConfig(
            endpoint=UnixEndpoint(plan.hub_socket),
            client_id=HUB_USERNAME,
            username=HUB_USERNAME,
            password=password,
            will=LastWill(TOPICS.hub_state, b"{}"),
            subscriptions=(Subscription(TOPICS.every_request, stored=False),),
        ),
        randomness,
        on_message,
    )
    return session


async def serve(state: Path, folder: Path) -> None:
    """Echo until SIGTERM."""
    randomness = SystemRandomness()
    plan = _plan(state, folder)
    password = randomness.token_bytes(24).hex()
    accounts = _accounts(state, str(hash_password(password, randomness)))
    broker = BrokerSupervisor(
        plan,
        find_broker(),
        accounts=lambda: accounts,
        clock=SystemClock(),
        randomness=randomness,
    )
    session = _echoing(plan, password, randomness)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with asyncio.timeout(_START_S):
            broker.start()
            await broker.wait_running()
            session.start()
            await session.wait_up()
        print(json.dumps({"ready": True, "mqtt_mtls_port": plan.mtls_port}), flush=True)
        await ended.wait()
    finally:
        await session.stop()
        await broker.stop()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
