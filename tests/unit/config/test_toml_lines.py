"""Where each key of a TOML file stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.config.fields import toml_text
from hub.config.toml_lines import key_lines


def test_keys_are_found_below_headers_dotted_and_inline() -> None:
    text = (
        "# head\n"
        "top = 1\n"
        'inline = {a = 1, b = {c = "x"}}\n'
        "\n"
        "[store]  # comment\n"
        'id = "#no comment"\n'
        "web.port = 1\n"
        "[a.b]\n"
        "c = 1\n"
    )
    assert key_lines(text) == {
        ("top",): 2,
        ("inline",): 3,
        ("inline", "a"): 3,
        ("inline", "b"): 3,
        ("inline", "b", "c"): 3,
        ("store",): 5,
        ("store", "id"): 6,
        ("store", "web"): 7,
        ("store", "web", "port"): 7,
        ("a", "b"): 8,
        ("a", "b", "c"): 9,
    }


def test_values_over_several_lines_do_not_shift_what_follows() -> None:
    text = (
        'list = [\n  "[no header]",\n  "b = 1",\n]\n'
        'text = """\n[nor this]\nc = 1\n"""\n'
        "raw = '''\nd = 1'''\n"
        "last = 1\n"
    )
    assert key_lines(text) == {("list",): 1, ("text",): 5, ("raw",): 9, ("last",): 11}


_values = st.one_of(
    st.integers(-(2**31), 2**31),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20),
    st.lists(st.integers(0, 9), max_size=3),
)


@given(st.lists(st.tuples(_values, st.integers(0, 3)), max_size=12))
def test_every_key_is_found_whatever_stands_between(items: list[tuple[object, int]]) -> None:
    rows: list[str] = ["[section]"]
    expected: dict[tuple[str, ...], int] = {("section",): 1}
    for index, (value, gap) in enumerate(items):
        rows += ["# [not.a.header]", ""][:gap] * 2
        rows.append(f"key_{index} = {toml_text(value)}  # trailing = 1")
        expected[("section", f"key_{index}")] = len(rows)
    assert key_lines("\n".join(rows)) == expected
