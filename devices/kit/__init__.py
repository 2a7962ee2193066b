"""What a Python device of the store needs to work with its hub.

Pair once, then be a client::

    store = IdentityStore(Path("/var/lib/my-till"))
    if not store.paired:
        link = PairingLink.parse(scanned_qr_code)
        await pair(store, host=link.host, port=link.port,
                   ca_fingerprint=link.fingerprint, code=link.code)
    async with HubClient(store, DeviceMeta(kind="till", model="My Till 3")) as hub:
        await hub.request(SignIn(staff_id="anna", pin="..."), SignedIn)
        done = await hub.submit(CommitSale(...), SaleDone)

- ``request``: answered or not in time; may be repeated by its key, and then is done once.
- ``submit``: for what must not be lost; on disk first, sent until answered, offered again to a hub
  that was restored from a backup.
- ``fact``: something that happened here; reaches the hub sooner or later, in order.
- ``on_scan``: codes that a scanner at the hub has read for this device, with their products;
  ``scanned``: the same for a scanner of its own.
- ``lend_printer``: the hub may print here.
- ``tell_conditions``: what is the matter with what is attached here (no paper, drawer open).

Messages are the models of ``hub.contract``.  Everything runs on one asyncio event loop; only
writing the journal uses a thread, which ends with the client.
"""

from __future__ import annotations

from devices.kit.client import ClientBounds, HubClient
from devices.kit.courier import Settled
from devices.kit.errors import (
    BadAnswer,
    HubUnreachable,
    IdentityDamaged,
    JournalBroken,
    JournalError,
    JournalForeign,
    JournalFull,
    JournalInUse,
    KitError,
    LinkLost,
    NotPaired,
    PairingFailed,
    PairingRefused,
    Refused,
    TooMuch,
    Unanswered,
    WrongHub,
)
from devices.kit.identity import Identity, IdentityStore
from devices.kit.journal import JournalBounds
from devices.kit.pairing import PairingLink, pair, renew
from hub.contract.conditions import CONDITIONS, Condition
from hub.contract.envelope import DeviceMeta

__all__ = [
    "CONDITIONS",
    "BadAnswer",
    "ClientBounds",
    "Condition",
    "DeviceMeta",
    "HubClient",
    "HubUnreachable",
    "Identity",
    "IdentityDamaged",
    "IdentityStore",
    "JournalBounds",
    "JournalBroken",
    "JournalError",
    "JournalForeign",
    "JournalFull",
    "JournalInUse",
    "KitError",
    "LinkLost",
    "NotPaired",
    "PairingFailed",
    "PairingLink",
    "PairingRefused",
    "Refused",
    "Settled",
    "TooMuch",
    "Unanswered",
    "WrongHub",
    "pair",
    "renew",
]
