"""Cookies and CSRF tokens."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import Randomness, SystemRandomness
from hub.security.sessions import Sessions


@pytest.fixture
def sessions(randomness: Randomness) -> Sessions:
    return Sessions(b"k" * 32, randomness)


def test_a_cookie_leads_to_the_digest_that_was_stored(sessions: Sessions) -> None:
    made = sessions.issue()
    token = made.cookie.partition(".")[0]
    assert sessions.digest_of(made.cookie) == made.digest
    assert made.digest == hashlib.sha256(token.encode()).hexdigest()
    assert made.cookie not in repr(made)
    assert sessions.issue().cookie != made.cookie


def test_a_cookie_of_another_key_is_not_ours(sessions: Sessions, randomness: Randomness) -> None:
    foreign = Sessions(b"x" * 32, randomness).issue().cookie
    assert sessions.digest_of(foreign) is None
    assert sessions.csrf_token(foreign) is None
    assert not sessions.csrf_fits(foreign, "")


@given(st.data())
def test_a_changed_cookie_is_not_ours(data: st.DataObject) -> None:
    sessions = Sessions(b"k" * 32, SystemRandomness())
    cookie = sessions.issue().cookie
    place = data.draw(st.integers(0, len(cookie) - 1))
    other = data.draw(st.characters())
    changed = cookie[:place] + other + cookie[place + 1 :]
    assert (sessions.digest_of(changed) is not None) == (changed == cookie)


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "x" * 1_000_000, "é" * 43 + "." + "é" * 43])
def test_invented_cookies_are_not_ours(sessions: Sessions, cookie: str) -> None:
    assert sessions.digest_of(cookie) is None


def test_a_csrf_token_fits_only_its_own_session(sessions: Sessions) -> None:
    mine, other = sessions.issue().cookie, sessions.issue().cookie
    token = sessions.csrf_token(mine)
    assert token is not None
    assert sessions.csrf_fits(mine, token)
    assert not sessions.csrf_fits(other, token)
    for wrong in ("", "é", "\udcff", token + "x", mine.partition(".")[2]):
        assert not sessions.csrf_fits(mine, wrong)


def test_a_short_key_is_refused(randomness: Randomness) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sessions(b"short", randomness)
