"""What Litestream is told, for each kind of target, and which settings are refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.app.replica import environment_of, render, replica_in, write_config
from hub.config.replica import Replica

SFTP = {
    "url": "sftp://store-367@far.example:2222/keep/store%20367",
    "sftp_host_key": "ssh-ed25519 AAAA",
}
S3 = {"url": "s3://bucket/store-367", "s3_endpoint": "https://s3.example", "s3_region": "eu-1"}
KEYS = {"s3_access_key_id": "id", "s3_secret_key": "secret"}


def told(fields: dict[str, Any], series: int = 3) -> dict[str, Any]:
    replica = Replica.model_validate(fields)
    config = json.loads(render(replica, Path("/state/hub.db"), series, Path("/run/hub/replica")))
    (database,) = config["dbs"]
    assert database["path"] == "/state/hub.db"
    found = database["replica"]
    assert isinstance(found, dict)
    return found


def test_a_directory_gets_one_below_it_for_each_series() -> None:
    assert told({"url": "file:///mnt/far/"}) == {
        "type": "file",
        "path": "/mnt/far/3",
        "sync-interval": "1000ms",
    }


def test_an_sftp_server_is_known_by_its_key_and_told_ours() -> None:
    assert told(SFTP | {"sftp_key": "-----KEY-----"}) == {
        "type": "sftp",
        "host": "far.example:2222",
        "user": "store-367",
        "path": "/keep/store 367/3",
        "host-key": "ssh-ed25519 AAAA",
        "key-path": "/run/hub/replica/replica.key",
        "sync-interval": "1000ms",
    }
    assert told(SFTP | {"sftp_password": "open"})["password"] == "open"


def test_a_bucket_of_another_service_is_addressed_by_path() -> None:
    assert told(S3 | KEYS) == {
        "type": "s3",
        "bucket": "bucket",
        "path": "store-367/3",
        "region": "eu-1",
        "endpoint": "https://s3.example",
        "force-path-style": True,
        "access-key-id": "id",
        "secret-access-key": "secret",
        "sync-interval": "1000ms",
    }
    assert told({"url": "s3://bucket"})["path"] == "3"


def test_what_holds_secrets_is_for_the_hubs_user_alone(tmp_path: Path) -> None:
    replica = Replica.model_validate(SFTP | {"sftp_key": "-----KEY-----"})
    config = write_config(replica, Path("/state/hub.db"), 0, tmp_path / "replica")
    key = config.with_name("replica.key")
    assert key.read_text() == "-----KEY-----\n"
    for path, mode in ((config, 0o600), (key, 0o600), (config.parent, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_environment_cannot_change_where_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "LITESTREAM_CONFIG", "LOG_LEVEL"):
        monkeypatch.setenv(name, "another")
    replica = Replica.model_validate(S3 | {"s3_ca_file": "/etc/ca.pem"})
    env = environment_of(replica, Path("/run/hub/replica"))
    assert "another" not in env.values()
    assert env["SSL_CERT_FILE"] == "/etc/ca.pem"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"url": "ftp://far/away"}, "file:///directory"),
        ({"url": "file://far/away"}, "file:///directory"),
        ({"url": "file:///"}, "file:///directory"),
        ({"url": "s3:///prefix"}, "file:///directory"),
        ({"url": "s3://bucket/prefix?endpoint=x"}, "file:///directory"),
        ({"url": "sftp://far.example/keep", "sftp_host_key": "x"}, "file:///directory"),
        ({"url": "sftp://me:pw@far.example/keep"}, "password has no place"),
        ({"url": "sftp://me@far.example/keep", "sftp_password": "x"}, "sftp_host_key must be set"),
        (SFTP, "sftp needs"),
        (S3 | {"s3_access_key_id": "id"}, "s3_secret_key must be set"),
        (S3 | {"s3_secret_key": "secret"}, "s3_access_key_id must be set"),
    ],
)
def test_a_target_that_cannot_work_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Replica.model_validate(fields)


def test_when_everything_was_sent_is_read_from_the_answer() -> None:
    answer = {"databases": [{"path": "x", "last_sync_at": "2026-11-22T12:46:47.046917776Z"}]}
    assert replica_in(answer) == 1_795_351_607_046
    assert replica_in({"databases": [{"path": "x"}]}) is None
    assert replica_in({"databases": None}) is None
