"""The laws that runs are judged by find what they are for, and nothing else."""

from __future__ import annotations

from tests.support import laws
from tests.support.shop import Shop


def _write_again(shop: Shop, source: int) -> None:
    """The last event once more, at the end of its stream in ``source``."""
    shop.run(
        "INSERT INTO outbox (source, stream, seq, event_id, type, aggregate, at_ms, data)"
        f" SELECT {source}, stream, 1 + coalesce((SELECT max(seq) FROM outbox i"
        f" WHERE i.source = {source} AND i.stream = o.stream), 0),"
        " event_id, type, aggregate, at_ms, data FROM outbox o ORDER BY id DESC LIMIT 1"
    )
    shop.run(
        "INSERT INTO streams (source, stream, head_seq)"
        " SELECT source, stream, seq FROM outbox ORDER BY id DESC LIMIT 1"
        " ON CONFLICT DO UPDATE SET head_seq = excluded.head_seq"
    )


def _take_back(shop: Shop) -> None:
    """That event, so that the shop is whole at the test's end."""
    last = "SELECT source, stream FROM outbox ORDER BY id DESC LIMIT 1"
    shop.run(f"UPDATE streams SET head_seq = head_seq - 1 WHERE (source, stream) IN ({last})")
    shop.run("DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)")


def _told_twice(shop: Shop) -> list[str]:
    return [one for one in laws.broken(shop.rows) if "told twice" in one]


def test_a_fact_that_one_source_tells_twice_breaks_a_law(shop: Shop) -> None:
    shop.sign_in("till-1")
    shop.sell("till-1", "tea", 2, 499)
    assert _told_twice(shop) == []
    _write_again(shop, shop.value("SELECT source FROM hub"))
    assert len(_told_twice(shop)) == 1
    _take_back(shop)


def test_what_moved_to_another_source_was_never_told_by_the_first(shop: Shop) -> None:
    """A hub wrote it before it found out that it was put back; then it was given what it had told
    in the time that was lost."""
    shop.sign_in("till-1")
    shop.sell("till-1", "tea", 2, 499)
    first = shop.value("SELECT source FROM hub")
    shop.run("INSERT INTO sources (incarnation, fork, uri) VALUES (1, 'ff', 'moved')")
    fork = shop.value("SELECT max(id) FROM sources")
    _write_again(shop, fork)
    _write_again(shop, first)
    assert len(_told_twice(shop)) == 1, "nothing says that it moved"

    shop.run(
        "UPDATE sources SET moved_from_id = 0, moved_last_id = (SELECT max(id) - 1 FROM outbox)"
        f" WHERE id = {fork}"
    )
    assert _told_twice(shop) == []
    _write_again(shop, first)
    assert len(_told_twice(shop)) == 1, "once more is once too often"
    _take_back(shop)
