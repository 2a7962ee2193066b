"""The files that ``hub.security`` writes, as a real mosquitto reads them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.clock import SystemClock, SystemRandomness
from hub.security.authority import Authority
from hub.security.certificates import DAY_MS, Revoked
from hub.security.passwords import hash_password, new_password
from scripts.rig import free_port

RANDOM = SystemRandomness()
NOW_MS = SystemClock().wall_ms()
PLUGIN = "mosquitto_dynamic_security.so"
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
ANYTHING = dict.fromkeys(
    ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), True
)


class Broker:
    """A mosquitto with a password listener and a mutual TLS listener, and one paired till."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority.open(directory / "tls", store_name="Shop", now_ms=NOW_MS)
        self.authority.ensure_server("hub", [], [], NOW_MS)
        self.authority.issue_crl([], NOW_MS)
        self.password_port, self.mutual_port = free_port(RANDOM), free_port(RANDOM)
        self.password = new_password(SystemRandomness())
        self.device("till-1")
        self._write_dynsec()
        self._process: subprocess.Popen[str] | None = None

    def device(self, name: str, *, at_ms: int = NOW_MS) -> int:
        """Pair a device: ``<name>.crt`` and ``<name>.key``; its certificate's serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        issued = self.authority.issue_device(csr, name, at_ms, 30 * DAY_MS)
        (self.directory / f"{name}.crt").write_text(issued.certificate_pem)
        encoding, shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(encoding, shape, serialization.NoEncryption())
        (self.directory / f"{name}.key").write_bytes(pem)
        (self.directory / f"{name}.ca").write_text(self.authority.ca_pem())
        return issued.serial

    def start(self) -> None:
        program = shutil.which("mosquitto", path=SEARCH)
        assert program, "mosquitto is not installed (apt-get install mosquitto)"
        self._process = subprocess.Popen(
            [program, "-c", str(self._write_configuration())],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait_for_log(" running")

    def reload(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGHUP)
        self.wait_for_log("Reloading config")
        # It loses a signal that comes while it is reading, and has read when it answers again.
        assert self.accepts_password("scanner-1", self.password)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.communicate(timeout=60)

    def wait_for_log(self, text: str) -> None:
        assert self._process
        assert self._process.stderr
        seen = ""
        for line in self._process.stderr:
            seen += line
            if text in line:
                return
        pytest.fail(f"the broker ended without saying {text!r}:\n{seen}")

    def accepts_password(self, name: str, password: str) -> bool:
        return self._publish(self.password_port, "till-1", ["-u", name, "-P", password])

    def accepts_certificate(self, name: str) -> bool:
        paths = [str(self.directory / f"{name}{ending}") for ending in (".crt", ".key")]
        return self._publish(self.mutual_port, name, ["--cert", paths[0], "--key", paths[1]])

    def _publish(self, port: int, trusts_as: str, credentials: list[str]) -> bool:
        """Whether an independent client gets a message through within its own time-out."""
        program = shutil.which("mosquitto_pub", path=SEARCH)
        assert program, "mosquitto_pub is not installed (apt-get install mosquitto-clients)"
        trusted = str(self.directory / f"{trusts_as}.ca")
        where = ["-h", "localhost", "-p", str(port), "--cafile", trusted]
        message = ["-V", "5", "-q", "1", "-t", "hello", "-m", "x"]
        command = [program, *where, *credentials, *message]
        ended = subprocess.run(command, check=False, capture_output=True, timeout=60)
        return ended.returncode == 0

    def _write_dynsec(self) -> None:
        hashed = hash_password(self.password, SystemRandomness()).fields()
        content = {
            "defaultACLAccess": ANYTHING,
            "clients": [
                {"username": "scanner-1", **hashed},
                *({"username": name} for name in ("till-1", "till-2", "till-3")),
            ],
            "groups": [],
            "roles": [],
        }
        path = self.directory / "dynamic-security.json"
        path.write_text(json.dumps(content))
        path.chmod(0o600)

    def _write_configuration(self) -> Path:
        found = sorted(Path("/usr/lib").glob(f"**/{PLUGIN}"))
        assert found, f"{PLUGIN} is not installed"
        files = self.authority
        server = [
            f"certfile {files.server_certificate_path}",
            f"keyfile {files.server_key_path}",
            "tls_version tlsv1.2",
        ]
        lines = [
            *(["user root"] if os.geteuid() == 0 else []),
            "per_listener_settings false",
            "allow_anonymous false",
            f"plugin {found[0]}",
            f"plugin_opt_config_file {self.directory / 'dynamic-security.json'}",
            "log_dest stderr",
            f"listener {self.password_port} localhost",
            *server,
            f"listener {self.mutual_port} localhost",
            f"cafile {files.bundle_path}",
            f"crlfile {files.crl_path}",
            *server,
            "require_certificate true",
            "use_identity_as_username true",
        ]
        path = self.directory / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


def test_the_broker_accepts_the_password_whose_hash_we_wrote_and_no_other(broker: Broker) -> None:
    assert broker.accepts_password("scanner-1", broker.password)
    assert not broker.accepts_password("scanner-1", broker.password + "x")
    assert not broker.accepts_password("scanner-1", "")
    assert not broker.accepts_password("till-1", broker.password)


def test_the_broker_accepts_paired_devices_and_refuses_expired_ones(broker: Broker) -> None:
    broker.device("till-2", at_ms=NOW_MS - 100 * DAY_MS)
    assert broker.accepts_certificate("till-1")
    assert not broker.accepts_certificate("till-2")


def test_a_device_is_refused_once_the_broker_reloaded_the_new_list(broker: Broker) -> None:
    serial = broker.device("till-2")
    assert broker.accepts_certificate("till-2")
    for _ in range(2):  # a second list after the first, as in real life
        broker.authority.issue_crl([Revoked(serial, NOW_MS)], NOW_MS)
        broker.reload()
    assert not broker.accepts_certificate("till-2")
    assert broker.accepts_certificate("till-1")


def test_after_a_rollover_the_broker_serves_devices_of_both_generations(broker: Broker) -> None:
    broker.authority.roll_over([], NOW_MS)
    assert broker.authority.ensure_server("hub", [], [], NOW_MS)
    serial = broker.device("till-2")
    broker.device("till-3")
    broker.reload()
    assert broker.accepts_certificate("till-1")
    assert broker.accepts_certificate("till-2")
    broker.authority.issue_crl([Revoked(serial, NOW_MS)], NOW_MS)
    broker.reload()
    assert not broker.accepts_certificate("till-2")
    assert broker.accepts_certificate("till-3")
