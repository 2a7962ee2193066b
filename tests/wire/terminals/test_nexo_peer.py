"""Our sealing and our terminal against an independent library that speaks the same protocol."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.nexo.sealing import NotOpened, SharedKey, open_sealed, seal
from hub.clock import SystemRandomness
from scripts.rig import free_port, nexo_peer
from scripts.rig.terminal import TerminalRig

RANDOM = SystemRandomness()
HEADER = {"MessageCategory": "Payment", "ServiceID": "A1", "SaleID": "hub", "POIID": "P-1"}
PHRASES = ("correct horse battery staple", "ärger-mit-Ümlauten§", "x")
MESSAGES = (
    "{}",
    json.dumps({"SaleToPOIRequest": {"amount": "10.99", "name": "Käse €"}}),
    "a" * 4096,
)


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    try:
        nexo_peer.prepare()
    except nexo_peer.NotPrepared as error:
        pytest.skip(str(error))


CASES = [(phrase, message) for phrase in PHRASES for message in MESSAGES]


def told(phrase: str) -> dict[str, Any]:
    return {"id": "shop", "version": 3, "passphrase": phrase}


def test_the_independent_library_opens_what_we_seal() -> None:
    asked = []
    for phrase, message in CASES:
        key = SharedKey.derive("shop", 3, phrase)
        sealed = seal(key, HEADER, message.encode(), RANDOM.token_bytes)
        asked.append({"do": "open", "key": told(phrase), "secured": sealed})
    assert [one["message"] for one in nexo_peer.ask_all(*asked)] == [one for _, one in CASES]


def test_we_open_what_the_independent_library_seals() -> None:
    asked = [
        {"do": "seal", "key": told(phrase), "header": HEADER, "message": message}
        for phrase, message in CASES
    ]
    for (phrase, message), sealed in zip(CASES, nexo_peer.ask_all(*asked), strict=True):
        key = SharedKey.derive("shop", 3, phrase)
        assert open_sealed((key,), sealed) == (message.encode(), key)


def test_both_refuse_what_was_tampered_with_and_what_is_under_another_key() -> None:
    key = SharedKey.derive("shop", 3, "right")
    sealed = seal(key, HEADER, b"{}", RANDOM.token_bytes)
    wrong: dict[str, Any] = {**sealed, "SecurityTrailer": {**sealed["SecurityTrailer"]}}
    wrong["SecurityTrailer"]["Hmac"] = wrong["SecurityTrailer"]["Nonce"]
    with pytest.raises(NotOpened):
        open_sealed((key,), wrong)
    with pytest.raises(nexo_peer.PeerRefused):
        nexo_peer.ask(do="open", key=told("right"), secured=wrong)
    theirs = nexo_peer.ask(do="seal", key=told("right"), header=HEADER, message="{}")
    with pytest.raises(NotOpened):
        open_sealed((SharedKey.derive("shop", 3, "another"),), theirs)
    with pytest.raises(NotOpened):
        open_sealed((SharedKey.derive("shop", 2, "right"),), theirs)


@pytest.fixture
def rig(tmp_path: Path) -> TerminalRig:
    return TerminalRig(tmp_path / "terminal", (free_port(RANDOM), free_port(RANDOM)))


async def test_the_independent_library_takes_a_payment_at_our_terminal_and_looks_it_up(
    rig: TerminalRig,
) -> None:
    await rig.start()
    try:
        text = await asyncio.to_thread(Path(rig.told["keys_file"]).read_text)
        key_id, version, phrase = text.split()
        asked: dict[str, Any] = {
            "do": "pay",
            "key": {"id": key_id, "version": int(version), "passphrase": phrase},
            "port": int(rig.told["address"].rpartition(":")[2]),
            "root": rig.told["root_file"],
            "poiId": rig.poi_id,
            "saleId": "peer",
            "serviceId": "PAY1",
            "paymentId": "payment-1",
            "amount": 10.99,
            "currency": "EUR",
        }
        paid = await asyncio.to_thread(lambda: nexo_peer.ask(**asked))
        response = paid["SaleToPOIResponse"]["PaymentResponse"]
        assert response["Response"]["Result"] == "Success"
        assert response["PaymentResult"]["AmountsResp"]["AuthorizedAmount"] == 10.99
        assert response["PaymentResult"]["OnlineFlag"] is True
        assert await rig.taken() == {"payment-1": 1099}
        await rig.act({"surcharge_minor": 15, "surcharge_as": "fees-beside"})
        dear = asked | {"serviceId": "PAY2", "paymentId": "payment-2"}
        told_fees = await asyncio.to_thread(lambda: nexo_peer.ask(**dear))
        result = told_fees["SaleToPOIResponse"]["PaymentResponse"]["PaymentResult"]
        assert result["AmountsResp"] == {
            "Currency": "EUR",
            "AuthorizedAmount": 10.99,
            "TotalFeesAmount": 0.15,
        }
        looked = asked | {"serviceId": "ASK1", "check": "PAY1"}
        found = await asyncio.to_thread(lambda: nexo_peer.ask(**looked))
        again = found["SaleToPOIResponse"]["TransactionStatusResponse"]["RepeatedMessageResponse"]
        assert (
            again["RepeatedResponseMessageBody"]["PaymentResponse"]["Response"]
            == (response["Response"])
        )
    finally:
        await rig.stop()
