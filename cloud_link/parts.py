"""What one connection to the cloud is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cloud_link.antientropy import AntiEntropy
from cloud_link.bundles import Bundles, Make
from cloud_link.datasets import DatasetSync
from cloud_link.downlink import Downlink
from cloud_link.errors import OmsError
from cloud_link.http import OmsClient
from cloud_link.pacing import Pacer, Sleep
from cloud_link.recovery import Recovery
from cloud_link.session import Greeter
from cloud_link.transport import AiohttpTransport, TlsFiles, Transport
from cloud_link.uplink import Uplink, Watch
from hub.clock import Clock, Ids, Randomness
from hub.config.models import Cloud
from hub.service.gate import Gate
from hub.service.outgoing import Limits


@dataclass(frozen=True, slots=True)
class World:
    """Time, ids, randomness, sleeping and HTTP."""

    clock: Clock
    ids: Ids
    randomness: Randomness
    sleep: Sleep = asyncio.sleep
    transport: Transport | None = None
    """None: the real one."""
    watch: Watch | None = None
    """Told how the sending of events went."""


@dataclass(slots=True)
class Parts:
    """The client, and what uses it.  ``recovering``: the hub gets its own facts back first."""

    client: OmsClient
    greeter: Greeter
    uplink: Uplink
    downlink: Downlink
    datasets: DatasetSync
    antientropy: AntiEntropy
    recovery: Recovery
    bundles: Bundles
    recovering: bool = False


def make_parts(
    settings: Cloud,
    gate: Gate,
    world: World,
    *,
    machine_hash: str,
    on_trusted_time: Callable[[int], None],
    on_date: Callable[[int], object],
    on_answer: Callable[[OmsError | None], None],
    make_bundle: Make | None,
) -> Parts:
    """The parts over one client; nothing is started."""
    client = _client(settings, gate, world, on_trusted_time, on_date)
    pacer = Pacer(
        clock=world.clock,
        randomness=world.randomness,
        sleep=world.sleep,
        base_s=settings.retry_base_s,
        cap_s=settings.retry_max_s,
        on_answer=on_answer,
    )
    datasets = DatasetSync(gate, client, pacer, settings.dataset_every_s, sleep=world.sleep)
    return Parts(
        client=client,
        greeter=Greeter(
            gate,
            client,
            pacer,
            machine_hash=machine_hash,
            ids=world.ids,
            randomness=world.randomness,
        ),
        uplink=Uplink(
            gate,
            client,
            pacer,
            Limits(settings.batch_events, settings.batch_bytes),
            settings.linger_ms / 1000,
            sleep=world.sleep,
            watch=world.watch,
        ),
        downlink=Downlink(
            gate,
            client,
            pacer,
            settings.poll_wait_s,
            sleep=world.sleep,
            on_dataset=datasets.hint,
        ),
        datasets=datasets,
        antientropy=AntiEntropy(gate, client, pacer, settings.digest_every_s, sleep=world.sleep),
        recovery=Recovery(gate, client, pacer),
        bundles=Bundles(gate, client, pacer, make_bundle, sleep=world.sleep),
    )


def _client(
    settings: Cloud,
    gate: Gate,
    world: World,
    on_trusted_time: Callable[[int], None],
    on_date: Callable[[int], object],
) -> OmsClient:
    transport = world.transport or AiohttpTransport(
        TlsFiles(settings.ca_file, settings.client_cert_file, settings.client_key_file),
        settings.connect_timeout_s,
    )
    return OmsClient(
        settings,
        gate.shop.store,
        transport,
        clock=world.clock,
        ids=world.ids,
        on_server_time=on_trusted_time,
        on_date=on_date,
    )
