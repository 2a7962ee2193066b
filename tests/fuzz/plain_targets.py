"""Parsers that are plain functions: codes, cards, topics, frames, pairing links, certificates."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Final

from hub.contract.topics import CommandTopic, Topics
from hub.domain import cards
from hub.domain.barcode import (
    CodeKind,
    CodeRules,
    InvalidCode,
    MeasureKind,
    RestrictedRule,
    expand_upc_e,
    normalise_gtin,
    parse,
)
from hub.domain.checkdigits import gs1_valid, luhn_valid
from hub.domain.errors import CardDataRefused, Invalid
from hub.mqtt import frames
from hub.security.codes import PairingLink, code_fits, hash_code, normal_code
from hub.security.errors import PairingLinkWrong, RequestRefused
from hub.security.requests import read_request
from tests.fakes import SeededRandomness
from tests.fuzz.engine import Dice, Target

TOPICS: Final = Topics("367")
FINGERPRINT: Final = "5f" * 32

_RULES: Final = (
    CodeRules(),
    CodeRules(
        restricted=(
            RestrictedRule("20", (2, 7), (7, 12), MeasureKind.WEIGHT, 3),
            RestrictedRule("21", (2, 6), (7, 12), MeasureKind.PRICE, 2, verifier_at=6),
            RestrictedRule("02", (2, 7), (7, 12), MeasureKind.COUNT),
        ),
        currency_exponent=0,
        reference_year=2049,
    ),
    CodeRules(currency_exponent=3, reference_year=1999),
)


# Codes -------------------------------------------------------------------------------------------


def barcode(data: bytes) -> None:
    """Any text of a scanner or keyboard."""
    rules = _RULES[data[0] % len(_RULES)] if data else _RULES[0]
    text = data[1:].decode(errors="replace")
    expand_upc_e(text)
    found = parse(text, rules)
    if found.gtin14 is not None:
        assert len(found.gtin14) == 14
        assert found.gtin14.isdecimal()
        assert gs1_valid(found.gtin14), found
        assert normalise_gtin(found.gtin14) == found.gtin14
    if found.kind is CodeKind.GTIN:
        assert found.gtin14 is not None
        again = parse(found.gtin14, rules)
        assert again.gtin14 == found.gtin14, (found, again)
    for number in (found.weight_g, found.price_minor, found.count):
        assert number is None or number >= 0
    if found.gtin14 is None and found.sscc is None:
        assert len(found.raw) <= 512


_BARCODES: Final = tuple(
    b"\0" + text
    for text in (
        b"4006381333931",
        b"96385074",
        b"01234565",
        b"04252614",
        (b"]E04006381333931"),
        b"]C1010400638133393110ABC\x1d17261231",
        b"(01)04006381333931(10)LOT(17)261200(3103)001500",
        b"https://id.gs1.org/01/04006381333931/10/ABC?17=261231",
        b"]d2010400638133393121SER",
        b"2012345012343",
        b"2112345012348",
        b"]E3400638133393112345",
        b"00340123450000000018",
        b"0104006381333931392312345\x1d393397801234",
        b"]Q3https://example.com/01/04006381333931",
        b"(7003)2612311200(30)12",
        b"A-100",
        b"4111111111111111",
    )
)


# Cards -------------------------------------------------------------------------------------------

_SEPARATORS: Final = ("", " ", "-", ".", " - ", "/", "_", "\u00a0", "\u2013", "\u2009", "\t")
_ALPHABETS: Final = (
    "0123456789",
    "٠١٢٣٤٥٦٧٨٩",
    "".join(chr(0xFF10 + digit) for digit in range(10)),
    "०१२३४५६७८९",
)
_AROUND: Final = (
    ("", ""),
    ("card ", " ok"),
    ("no:", ";"),
    ('{"a":"', '"}'),
    ("PAN=", ""),
    ("é", "ß"),
)


def _groupings(size: int) -> tuple[tuple[int, ...], ...]:
    """How people write a number of that length."""
    fours = (*(4,) * (size // 4), *((size % 4,) if size % 4 else ()))
    found: tuple[tuple[int, ...], ...] = ((size,), fours, (1,) * size)
    if size == 15:
        found = (*found, (4, 6, 5))
    if size == 14:
        found = (*found, (4, 6, 4))
    if size == 19:
        found = (*found, (4, 4, 4, 4, 3), (6, 13))
    return found


def card_number(dice: Dice) -> str | None:
    """A number of one of the defined ranges whose check digit fits, written as people do; None for
    12 and 13 digits that are an article's number, too."""
    _, low, high, lengths = cards.ISSUERS[dice.below(len(cards.ISSUERS))]
    size = sorted(lengths)[dice.below(len(lengths))]
    first = str(int(low) + dice.below(int(high) - int(low) + 1)).zfill(len(low))
    body = first + "".join(str(dice.below(10)) for _ in range(size - len(first) - 1))
    digits = next(body + str(last) for last in range(10) if luhn_valid(body + str(last)))
    if size in (12, 13) and gs1_valid(digits):
        return None
    groups = _groupings(size)
    sizes = groups[dice.below(len(groups))]
    separator = _SEPARATORS[dice.below(len(_SEPARATORS))]
    alphabet = _ALPHABETS[dice.below(len(_ALPHABETS)) if dice.below(4) == 0 else 0]
    parts, at = [], 0
    for one in sizes:
        parts.append("".join(alphabet[int(digit)] for digit in digits[at : at + one]))
        at += one
    return separator.join(parts)


def card(data: bytes) -> None:
    """A number in a defined range is never missed, wherever it stands; any text is looked at."""
    dice = Dice(data)
    number = card_number(dice)
    before, after = _AROUND[dice.below(len(_AROUND))]
    noise = dice.rest().decode(errors="replace")
    cards.find_card_data(noise)
    if number is None:
        return
    text = f"{before}{number}{after}"
    assert cards.find_card_data(text) is not None, f"missed: {text!r}"
    assert cards.find_in_reference(text) is not None, f"missed in a reference: {text!r}"
    nested = {"a": [{"b": text}], "c": noise}
    found = cards.screen(nested)
    assert found is not None
    assert cards.screen({"a": {text: 1}}) is not None
    assert text not in repr(found)


def card_in_json(data: bytes) -> None:
    """Any JSON value may be looked through."""
    from pydantic_core import from_json

    try:
        value = from_json(data)
    except ValueError:
        return
    cards.screen(value)
    cards.screen(value, ("/a", "/lines/*/code"))


# Topics and frames -------------------------------------------------------------------------------


def topic(data: bytes) -> None:
    """What is read from a topic can be built again, and never names another place."""
    text = data.decode(errors="replace")
    found = TOPICS.parse(text)
    request, command = TOPICS.parse_request(text), TOPICS.parse_command(text)
    for one in (found, request, command):
        if one is not None:
            assert text.startswith(TOPICS.prefix + "/dev/" + one.device)
            assert "/" not in one.device
    if isinstance(command, CommandTopic):
        assert found is None
    try:
        assert TOPICS.parse_request(TOPICS.request(text, "a", "b")) is not None
        assert TOPICS.parse(TOPICS.fact("till-1", text)) is not None
        store = Topics(text)
        assert store.prefix.count("/") == 2
    except ValueError:
        return


def frame(data: bytes) -> None:
    """Frames of MQTT: read, refused, or not all there yet; what is read can be written again."""
    place = frames.frame_at(data, 0, 1 << 20)
    if place is not None:
        start, end = place
        assert 0 < start <= end <= len(data)
    body = data[1:]
    frames_error = frames.MalformedFrame
    with contextlib.suppress(frames_error):
        frames.decode_puback(body)
    message = frames.decode_publish(data[0] if data else 0x30, body)
    packed = frames.pack_properties(
        message.properties.correlation,
        message.properties.expiry_s,
        [("idk", message.properties.idk)] if message.properties.idk is not None else [],
    )
    if not message.packet_id and message.properties.qos:
        return  # the number 0 is none: no peer sends it
    again = frames.encode_publish(
        message.topic, message.payload, packet_id=message.packet_id, properties=packed
    )
    found = frames.frame_at(again, 0, 1 << 20)
    assert found is not None
    back = frames.decode_publish(again[0], again[found[0] : found[1]])
    assert (back.topic, back.payload) == (message.topic, message.payload)
    assert back.properties.correlation == message.properties.correlation
    assert back.properties.idk == message.properties.idk


def _frames() -> tuple[bytes, ...]:
    packed = frames.pack_properties(b"mark", 10, [("idk", "key-00000001"), ("x", "y")])
    name = TOPICS.request("till-1", "sale", "commit")
    whole = frames.encode_publish(name, b'{"a":1}', packet_id=7, properties=packed)
    place = frames.frame_at(whole, 0, 1 << 20)
    assert place is not None
    return (
        whole,
        whole[:1] + whole[place[0] :],
        b"\x30" + b"\0\x01a\0",
        frames.encode_puback(9),
        b"\x30" + b"\0\x03a/b" + b"\x05\x08\0\x02rt" + b"payload",
        b"\x30\xff\xff\xff\x7f",
    )


# Pairing -----------------------------------------------------------------------------------------


def pairing_link(data: bytes) -> None:
    """Hub and device read the same out of a QR code."""
    from devices.kit.pairing import PairingLink as KitLink
    from devices.kit.pairing import normal_fingerprint

    text = data.decode(errors="replace")
    normal = normal_code(text)
    if normal is not None:
        stored = hash_code(normal, SeededRandomness())
        assert code_fits(text, stored)
    with contextlib.suppress(ValueError):
        normal_fingerprint(text)
    kit = None
    with contextlib.suppress(ValueError):
        kit = KitLink.parse(text)
    link = PairingLink.parse(text)
    assert PairingLink.parse(link.text()) == link
    assert kit is not None
    assert (kit.host, kit.port, kit.fingerprint) == (link.host, link.port, link.fp)


def certificate_request(data: bytes) -> None:
    """PEM of a stranger, at pairing and at renewal."""
    read_request(data)
    read_request(data.decode(errors="replace"))
    with contextlib.suppress(ValueError, binascii.Error):
        base64.b64decode(data, validate=True)


def _requests() -> tuple[bytes, ...]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from devices.kit.identity import request_certificate

    made = request_certificate(ec.generate_private_key(ec.SECP256R1()))
    return (made.public_bytes(serialization.Encoding.PEM),)


def targets() -> tuple[Target, ...]:
    """All of this room."""
    link = f"storehub://pair?host=hub.lan&port=8443&fp={FINGERPRINT}&code=K7QM2XWD".encode()
    return (
        Target("barcode", barcode, _BARCODES, (InvalidCode, CardDataRefused), 1),
        Target("card-number", card, (b"\0" * 24, b"\x05" * 40, bytes(range(40))), prefix=24),
        Target(
            "card-in-json",
            card_in_json,
            (b'{"a":["4111 1111 1111 1111",{"b":4111111111111111}],"lines":[{"code":"1"}]}',),
            (Invalid,),
        ),
        Target(
            "topic",
            topic,
            tuple(
                one.encode()
                for one in (
                    TOPICS.request("till-1", "sale", "commit"),
                    TOPICS.fact("till-1", "scan"),
                    TOPICS.state("till-1"),
                    TOPICS.meta("till-1"),
                    TOPICS.command_reply("till-1"),
                    TOPICS.command("till-1", "print"),
                    TOPICS.hub_state,
                    "$SYS/#",
                    "till-1",
                    "367",
                )
            ),
            tokens=(b"/", b"#", b"+", b"dev/", b"req/", b"evt/", b"till-2", b"sh/1/367/"),
        ),
        Target("mqtt-frame", frame, _frames(), (frames.MalformedFrame,)),
        Target(
            "pairing-link",
            pairing_link,
            (link, b"K7QM-2XWD", FINGERPRINT.encode()),
            (PairingLinkWrong,),
        ),
        Target(
            "certificate-request", certificate_request, _requests(), (RequestRefused,), weight=1
        ),
    )
