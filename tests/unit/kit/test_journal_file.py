"""The file under the journal, cut and damaged at every byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.kit.errors import JournalBroken, JournalInUse
from devices.kit.journal_file import JournalFile, pack, scan

RECORDS = [b"first", b"2", b"\x89SHJ in the middle", b"x" * 300]


def reopened(path: Path) -> list[bytes]:
    file = JournalFile(path)
    try:
        return file.payloads
    finally:
        file.close()


def test_a_write_torn_at_any_byte_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = b"".join(map(pack, RECORDS[:-1]))
    torn = pack(RECORDS[-1])
    for cut in range(len(torn)):
        path.write_bytes(whole + torn[:cut])
        assert reopened(path) == RECORDS[:-1], f"cut at {cut}"
        assert path.read_bytes() == whole
    path.write_bytes(whole + torn)
    assert reopened(path) == RECORDS


def test_after_a_torn_write_the_next_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(pack(b"kept") + pack(b"torn")[:-1])
    file = JournalFile(path)
    file.append(pack(b"next"))
    file.close()
    assert reopened(path) == [b"kept", b"next"]


def test_a_torn_write_of_zeros_or_of_noise_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for tail in (b"\0" * 512, os.urandom(64), pack(b"torn")[:8] + b"\0" * 40):
        path.write_bytes(pack(b"kept") + tail)
        assert reopened(path) == [b"kept"]


def test_damage_before_good_records_keeps_them_and_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    blob = b"".join(map(pack, RECORDS))
    middle = len(pack(RECORDS[0])) + 2
    for position in range(middle, len(blob) - len(pack(RECORDS[-1]))):
        damaged = bytearray(blob)
        damaged[position] ^= 0x55
        found = scan(bytes(damaged))
        assert found.damaged
        assert found.payloads[0] == RECORDS[0]
        assert found.payloads[-1] == RECORDS[-1]
        assert len(found.payloads) == len(RECORDS) - 1
    path.write_bytes(bytes(damaged))
    file = JournalFile(path)
    assert file.damaged_copy is not None
    assert file.damaged_copy.read_bytes() == bytes(damaged)
    file.close()
    assert not scan(path.read_bytes()).damaged


@given(blob=st.binary(min_size=1, max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_bytes_upset_the_reader(blob: bytes) -> None:
    found = scan(blob)
    assert 0 <= found.end <= len(blob)


@given(payloads=st.lists(st.binary(min_size=1, max_size=60), max_size=12), cut=st.integers(0, 2000))
@settings(max_examples=200, deadline=None)
def test_a_cut_file_is_a_prefix(payloads: list[bytes], cut: int) -> None:
    blob = b"".join(map(pack, payloads))[:cut]
    found = scan(blob)
    assert found.payloads == payloads[: len(found.payloads)]
    assert not found.damaged


def test_a_second_process_is_told_that_the_journal_is_in_use(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "journal")
    with pytest.raises(JournalInUse):
        JournalFile(tmp_path / "journal")
    file.close()
    JournalFile(tmp_path / "journal").close()


def test_a_full_disk_refuses_the_record_and_keeps_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    file = JournalFile(path)
    file.append(pack(b"before"))
    write = os.write
    state = {"room": 7}

    def full(handle: int, data: bytes) -> int:
        if state["room"] == 0:
            raise OSError(28, "No space left on device")
        count = write(handle, bytes(data)[: state["room"]])
        state["room"] -= count
        return count

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalBroken, match="No space"):
        file.append(pack(b"too much"))
    monkeypatch.undo()
    file.append(pack(b"after"))
    file.close()
    assert reopened(path) == [b"before", b"after"]


def test_replacing_leaves_only_what_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    file = JournalFile(path)
    for number in range(10):
        file.append(pack(b"%d" % number))
    file.replace([b"8", b"9"])
    file.append(pack(b"10"))
    file.close()
    assert reopened(path) == [b"8", b"9", b"10"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_mark_before_a_sector_of_zeros_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    good = pack(b'{"r":"owner","owner":"367/till-1"}')
    path.write_bytes(good + pack(b'{"r":"end","key":"k"}')[:4] + bytes(60))
    file = JournalFile(path)
    try:
        assert file.payloads == [b'{"r":"owner","owner":"367/till-1"}']
    finally:
        file.close()
    assert path.read_bytes() == good
