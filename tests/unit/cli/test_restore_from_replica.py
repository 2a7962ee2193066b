"""``store-hub restore --from-replica`` and ``escrow``: what they refuse, and what they say then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hub.clock import SystemRandomness
from hub.security.escrow import Escrow, Recipient, seal_escrow
from tests.support.replicas import needs_litestream

Run = Callable[..., Result]


@pytest.fixture
def opened(tmp_path: Path) -> tuple[str, ...]:
    """The options that give the keys of store 367."""
    private = X25519PrivateKey.generate()
    pem = tmp_path / "identity.pem"
    pem.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    escrow = Escrow("367", "hub-1", 0, {"box.key": bytes(32)})
    file = tmp_path / "escrow"
    file.write_bytes(seal_escrow(escrow, Recipient(private.public_key()), SystemRandomness()))
    return ("--escrow", str(file), "--identity", str(pem))


def refused(result: Result, why: str, base: Path) -> None:
    assert result.exit_code == 1, result.output
    assert why in result.output
    assert not (base / "state" / "hub.db").exists()
    assert not list(base.glob("*.from-replica-*")), "keys were left behind"


def test_a_replica_alone_is_not_enough(run: Run, tmp_path: Path) -> None:
    refused(run("restore", "--from-replica", "file:///far"), "--escrow FILE", tmp_path)


def test_one_source_is_asked_for(run: Run, tmp_path: Path) -> None:
    for given in ((), (str(tmp_path), "--from-replica")):
        result = run("restore", *given)
        assert result.exit_code == 2
        assert "one of them" in result.output


def test_a_replica_that_is_nowhere_set_up_is_asked_for(
    run: Run, opened: tuple[str, ...], tmp_path: Path
) -> None:
    refused(run("restore", "--from-replica", *opened), "set replica.url", tmp_path)


def test_a_url_of_another_kind_is_explained(
    run: Run, opened: tuple[str, ...], tmp_path: Path
) -> None:
    result = run("restore", "--from-replica", "ftp://far/away", *opened)
    refused(result, "s3://bucket/prefix", tmp_path)


@needs_litestream
def test_an_empty_replica_is_named(run: Run, opened: tuple[str, ...], tmp_path: Path) -> None:
    result = run("restore", "--from-replica", f"file://{tmp_path}/nothing", *opened)
    refused(result, "there is no replica at", tmp_path)


def test_keys_of_another_store_are_refused(
    run: Run, opened: tuple[str, ...], tmp_path: Path
) -> None:
    result = run("--set", "store.id=368", "restore", "--from-replica", "file:///far", *opened)
    refused(result, "the keys are of store 367, the settings say 368", tmp_path)


def test_a_file_that_is_no_database_is_refused(
    run: Run, opened: tuple[str, ...], tmp_path: Path
) -> None:
    result = run("restore", "--from-database", opened[1], *opened)
    refused(result, "is damaged", tmp_path)


def test_what_does_not_open_the_file_is_told(
    run: Run, opened: tuple[str, ...], tmp_path: Path
) -> None:
    result = run("restore", "--from-replica", "file:///far", *opened[:2])
    refused(result, "give its private key: --identity FILE", tmp_path)


def test_a_file_is_shown_without_its_keys(run: Run, opened: tuple[str, ...]) -> None:
    result = run("escrow", "show", opened[1], *opened[2:])
    assert result.exit_code == 0, result.output
    assert "Keys of store 367, hub hub-1: 1 files." in result.output
    assert "box.key  32 bytes" in result.output


def test_a_box_without_a_hub_has_no_keys_to_export(run: Run, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("correct horse battery staple\n")
    out = tmp_path / "out"
    given = ("--out", str(out), "--passphrase-file", str(words))
    refused(run("escrow", "export", *given), "start the hub once", tmp_path)
    out.touch()
    refused(run("escrow", "export", *given), "is there already", tmp_path)
