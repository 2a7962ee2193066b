"""Card data is refused wherever it hides, and nothing else is."""

from __future__ import annotations

import base64
import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.cards import (
    ISSUERS,
    CardDataKind,
    find_card_data,
    find_in_reference,
    find_in_token,
    issuer,
    refuse_card_data,
    screen,
)
from hub.domain.checkdigits import luhn_valid
from hub.domain.errors import CardDataRefused, DomainError

# Published test numbers of the networks and processors; none is a customer's.
TEST_CARDS = {
    "visa": ["4111111111111111", "4012888888881881", "4000000000000000006"],
    "mastercard": ["5555555555554444", "5105105105105100", "2223003122003222", "2720990000000007"],
    "amex": ["378282246310005", "341111111111111"],
    "discover": ["6011111111111117", "6011000990139424"],
    "diners": ["30569309025904", "38520000023237", "36227206271667"],
    "jcb": ["3530111333300000", "3566002020360505"],
    "unionpay": ["6200000000000005", "6250941006528599"],
    "maestro": ["6759649826438453", "6304000000000000"],
    "mir": ["2200000000000004", "2201382000000013"],
    "rupay": ["6074820000000009"],
}
CARDS = [(network, number) for network, numbers in TEST_CARDS.items() for number in numbers]
VISA = "4111111111111111"


def check_digit(payload: str) -> str:
    return next(d for d in "0123456789" if luhn_valid(payload + d))


def ean13(rng: random.Random) -> str:
    payload = "".join(rng.choices("0123456789", k=12))
    weighted = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(payload))
    return payload + str(-weighted % 10)


@pytest.mark.parametrize(("network", "number"), CARDS)
def test_every_networks_test_number_is_found(network: str, number: str) -> None:
    found = find_card_data(f"please charge {number} thanks")
    assert found is not None
    assert (found.kind, found.network) == (CardDataKind.PAN, network)
    assert number not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111 - 1111 - 1111 - 1111",
        "41111111 11111111",
        "4111 111111 111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41 11 11 11 11 11 11 11",
        "4111\n1111\n1111\n1111",
        "3782 822463 10005",
        "card4111111111111111exp",
        "x=4111111111111111;",
        "4111111111111111 12/27 123",
        "12/27 4111 1111 1111 1111 123",
        "4111111111111111123",  # with the security code behind it
        "41111111111111111227123",  # with expiry and code
        "00004111111111111111",
        "0000000000004111111111111111",
        "４１１１１１１１１１１１１１１１",  # noqa: RUF001 - full width
        "\u0664" + "\u0661" * 15,
        "4111\u200b1111\u200b1111\u200b1111",
        "4111\u00a01111\u20131111\u20111111",
        "tok_4111111111111111",
        "tok_4111_1111_1111_1111",
        "pm_4111-1111-1111-1111",
        "+4111 1111 1111 1111",
    ],
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    found = find_card_data(text)
    assert found is not None
    assert found.kind is CardDataKind.PAN


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("%B4111111111111111^DOE/JOHN^27121010000000000?", CardDataKind.TRACK_1),
        ("b4111111111111112^DOE/JOHN^2712101", CardDataKind.TRACK_1),
        (";4111111111111111=27121010000000000?", CardDataKind.TRACK_2),
        ("4111111111111111D2712101", CardDataKind.TRACK_2),
        ("5A084111111111111111", CardDataKind.EMV_TAG),
        ("5a 08 41 11 11 11 11 11 11 11 5f 34 01 00", CardDataKind.EMV_TAG),
        ("9F0607A00000000310105A08378282246310005F", CardDataKind.EMV_TAG),
        ("57:08:37:82:82:24:63:10:00:5F", CardDataKind.EMV_TAG),
    ],
)
def test_tracks_and_chip_tags_are_found(text: str, kind: CardDataKind) -> None:
    found = find_card_data(text)
    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1111",
        "last four 1111, approved",
        "411111******1111",
        "4111 11XX XXXX 1111",
        "4111111111111112",  # Luhn fails
        "9999999999999995",  # no issuer
        "tok_1NvH2X2eZvKYlo2C1Gmb8t3Q",
        "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
        "0196d5a4-7b1e-7c3a-9f55-411111111111",
        "12345678-1234-4234-8234-123456789012",
        "2026-11-22 05:37:41.123",
        "2026-11-22 12 13 14 2026-11-23 12 13 14",
        "tel +49 151 23456789, or +4915123456789",
        "order 1000234567, shelf 12-34-56",
        "DE89 3704 0044 0532 0130 00",
        "1763789861123",
        "see you at 10.30, table 4, 12 persons, bring 40 plates",
        "4006381333931",  # an article number (German prefix) that passes Luhn or not
    ],
)
def test_what_is_no_card_data_passes(text: str) -> None:
    assert find_card_data(text) is None


def test_article_numbers_are_never_refused_though_one_in_ten_passes_luhn() -> None:
    rng = random.Random(7)
    numbers = [ean13(rng) for _ in range(20_000)]
    assert 0.08 < sum(map(luhn_valid, numbers)) / len(numbers) < 0.12
    assert not any(find_card_data(number) for number in numbers)


def test_few_other_long_numbers_are_refused() -> None:
    rng = random.Random(11)
    for length, bound in ((12, 0.01), (14, 0.015), (16, 0.04), (18, 0.06), (20, 0.04)):
        numbers = ["".join(rng.choices("0123456789", k=length)) for _ in range(4000)]
        refused = sum(find_card_data(number) is not None for number in numbers) / len(numbers)
        assert refused < bound, (length, refused)


def test_telephone_numbers_and_times_in_notes_are_not_refused() -> None:
    rng = random.Random(13)
    for _ in range(3000):
        phone = f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(10**5, 10**8)}"
        when = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(10, 23)}:15"
        assert find_card_data(f"call {phone} after {when}") is None


@given(st.sampled_from(CARDS), st.text(max_size=30), st.text(max_size=30))
def test_a_number_between_other_words_is_found(
    card: tuple[str, str], before: str, after: str
) -> None:
    assert find_card_data(f"{before}xyz{card[1]}zyx{after}") is not None


@given(st.sampled_from(["4", "51", "2221", "34", "6011", "3528", "62"]), st.data())
def test_any_valid_number_of_the_big_networks_is_found(prefix: str, data: st.DataObject) -> None:
    length = 15 if prefix == "34" else 16
    rest = length - 1 - len(prefix)
    payload = prefix + data.draw(st.text("0123456789", min_size=rest, max_size=rest))
    assert find_card_data(payload + check_digit(payload)) is not None


@given(st.text(max_size=400))
def test_no_text_breaks_the_search(text: str) -> None:
    find_card_data(text)


@pytest.mark.parametrize(
    "hostile",
    ["1 " * 100_000, "4" * 200_000, "5A08" * 50_000, "tok_" * 50_000, "B4" * 100_000,
     "4111-" * 40_000, "٤" * 100_000, "12345678-" * 20_000, "%B" + "4" * 19 + "^" * 100_000,
     "tok_a " * 30_000, "\ufdfa" * 10_000],
)  # fmt: skip
@pytest.mark.timeout(120)
def test_long_hostile_text_is_searched_in_time_linear_in_its_length(hostile: str) -> None:
    find_card_data(hostile)  # a quadratic search would take hours


def test_a_message_is_searched_everywhere_and_told_where() -> None:
    message = {"sale_id": "s", "lines": [{"code": "A", "note": "x"}, {"note": f"pan {VISA}"}]}
    found = screen(message)
    assert found is not None
    assert found.path == "/lines/1/note"
    for value in ({"a": int(VISA)}, {"a": float(VISA)}, [[VISA]], VISA, {VISA: 1}):
        found = screen(value)
        assert found is not None
        assert VISA not in found.path


def test_fields_that_hold_article_numbers_are_exempt() -> None:
    message = {"lines": [{"code": VISA, "deep": {"code": "x"}}], "note": "fine"}
    assert screen(message, ["/lines/*/code"]) is None
    assert screen(message, ["/lines/*/deep"]) is not None
    assert screen({"lines": [{"code": "A"}], "n": 17.5, "t": True, "z": None}) is None


def test_the_refusal_says_what_to_send_instead_and_not_the_value() -> None:
    with pytest.raises(CardDataRefused, match="last four") as refusal:
        refuse_card_data({"note": VISA})
    assert VISA not in str(refusal.value) + str(dict(refusal.value.context))
    refuse_card_data({"note": "fine"})


def test_a_value_nested_without_end_is_refused() -> None:
    value: object = "x"
    for _ in range(3000):
        value = [value]
    with pytest.raises(DomainError, match="nested"):
        screen(value)


def test_an_issuer_needs_its_length_too() -> None:
    assert issuer("4" * 16) == "visa"
    assert issuer("4" * 15) is None
    assert issuer("2720" + "0" * 12) == "mastercard"
    assert issuer("2721" + "0" * 12) is None


@pytest.mark.parametrize(
    "token",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "tok_4111111111111111",
        "card4111111111111111",
        "abcdefghij-4111111111111111-klm",
        "abcdefghij 4111-1111-1111-1111",
        "%B4111111111111111^DOE/JANE^29121010000000000000?",
        ";4111111111111111=29121010000000000000?",
        "abcdefghijklm 5A08 4111111111111111",
    ],
)
def test_a_card_number_is_found_in_a_token_field_too(token: str) -> None:
    assert find_in_token(token) is not None


def test_random_tokens_are_not_taken_for_cards() -> None:
    """Once in some hundred such tokens the digits alone would pass for a card's."""
    rng = random.Random(7)
    wrong = 0
    for _ in range(3000):
        raw = rng.randbytes(64)
        uuid = str(UUID(bytes=rng.randbytes(16), version=4))
        for token in (raw.hex(), f"tok-{uuid}", f"tok_{uuid}", base64.b64encode(raw).decode()):
            wrong += find_in_token(token) is not None
    assert wrong <= 2
    assert find_in_token("tok-b18c8632-2266-4668-8665-0967dbc38a39") is None


# Numbers of machines -----------------------------------------------------------------------------

ORDER_NUMBERS = (
    "302-#######-#######",
    "305-#######-#######",
    "402-#######-#######",
    "###-#######-#######",
    "##-#####-#####",
    "#######-########",
    "#####-#####-#####",
    "2026-####-########",
    "####-######",
    "W-2026-#########",
)
PRINTED = {
    12: ((4, 4, 4),),
    13: ((4, 4, 5), (4, 4, 4, 1), (4, 3, 3, 3)),
    14: ((4, 6, 4), (4, 4, 4, 2), (4, 10)),
    15: ((4, 6, 5), (4, 5, 6), (4, 4, 4, 3), (4, 11)),
    16: ((4, 4, 4, 4), (8, 8), (12, 4), (4, 8, 4), (6, 10), (2,) * 8),
    17: ((4, 4, 4, 4, 1),),
    18: ((4, 4, 4, 4, 2),),
    19: ((4, 4, 4, 4, 3), (6, 13)),
}


def a_card(rng: random.Random) -> str:
    """A number of one of the defined ranges."""
    _, low, high, lengths = rng.choice(ISSUERS)
    head = str(rng.randint(int(low), int(high))).zfill(len(low))
    size = rng.choice(sorted(lengths))
    payload = head + "".join(rng.choices("0123456789", k=size - len(head) - 1))
    return payload + check_digit(payload)


def grouped(digits: str, sizes: tuple[int, ...], separator: str) -> str:
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return separator.join(digits[end - size : end] for end, size in zip(ends, sizes, strict=True))


def test_hardly_an_order_number_is_taken_for_a_card() -> None:
    """One in ten of those that begin with 302 would be, if any digits in a row counted."""
    rng = random.Random(3)
    for form in ORDER_NUMBERS:
        numbers = [
            "".join(rng.choice("0123456789") if one == "#" else one for one in form)
            for _ in range(2000)
        ]
        wrong = sum(find_in_reference(number) is not None for number in numbers)
        assert wrong <= 8, (form, wrong)
        if form.startswith("30"):
            assert wrong == 0
            assert sum(find_card_data(number) is not None for number in numbers) > 150


def test_a_card_number_as_cards_show_it_is_found_in_an_order_number_too() -> None:
    rng = random.Random(5)
    for _ in range(2000):
        card = a_card(rng)
        if find_card_data(card) is None:
            continue  # twelve or thirteen digits that are an article's
        for sizes in ((len(card),), (1,) * len(card), *PRINTED[len(card)]):
            for separator in ("-", ".", " ", "_"):
                written = grouped(card, sizes, separator)
                assert find_in_reference(written) is not None, sizes
                assert find_in_reference(f"W-{written}") is not None, sizes
    assert find_in_reference("ORDER-4111-1111-1111-1111-7") is not None
    assert find_in_reference(";4111111111111111=29121010000000000000?") is not None
    assert find_in_reference("5A084111111111111111") is not None


def test_what_people_type_is_looked_at_as_closely_as_ever() -> None:
    for odd in ("411-1111-11111-1111", "411111-11111-11111", "411-1111111-111111"):
        assert find_card_data(odd) is not None
        assert find_in_reference(odd) is None
