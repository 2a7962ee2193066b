"""The recipe of docs/logging.md for sending the journal away, with Debian's own programs.

In namespaces of their own run a journald, the uploader with the settings of the page, and the
receiver behind TLS, which goes away and comes back.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

LIB: Final = Path("/lib/systemd")
NEEDED: Final = ("systemd-journald", "systemd-journal-upload", "systemd-journal-remote")
LIMIT_S: Final = 55
SAY: Final = """
import logging, sys
from hub import events
from hub.clock import SystemClock
from hub.config import Log
from hub.logs import set_up

set_up(Log(format="journal", level="debug"), clock=SystemClock(), store="367")
for seq in range(int(sys.argv[1]), int(sys.argv[2])):
    told = events.REQUEST_ANSWERED(device="till-01", correlation=f"key-{seq}", seq=seq)
    logging.getLogger("hub.mqtt.router").debug("answered", extra=told)
"""
SCRIPT: Final = r"""
set -eu
cd "$1" && python=$2 && conf=$3
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
mkdir -p /run/systemd/journal /run/log/journal /etc/systemd/journal-upload.conf.d remote
cp "$conf" /etc/systemd/journal-upload.conf.d/central.conf
tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
mount --bind /run/machine-id /etc/machine-id
ip link set lo up
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
/lib/systemd/systemd-journald 2>journald.log &
until [ -S /run/systemd/journal/socket ]; do sleep 0.1; done
receive() {
    /lib/systemd/systemd-journal-remote --listen-https=127.0.0.1:19532 --key=server.key \
        --cert=server.pem --output=remote/ --split-mode=host 2>>remote.log &
    receiver=$!
}
# As patience.conf has it, only quicker.
upload() {
    while :; do
        /lib/systemd/systemd-journal-upload --directory=/run/log/journal --save-state=state \
            --follow 2>>upload.log || true
        sleep 1
    done
}
say() { "$python" say.py "$1" "$2"; }
arrived() {
    for file in remote/*.journal; do
        [ ! -e "$file" ] || journalctl --file="$file" HUB_STORE=367 HUB_DEVICE=till-01 -o cat \
            --output-fields=HUB_SEQ --no-pager
    done | sort -n | uniq
}
until_arrived() { until [ "$(arrived | wc -l)" = "$1" ]; do sleep 0.3; done; }
say 0 10
receive
upload &
uploader=$!
until_arrived 10
kill "$receiver"
wait "$receiver" || true
say 10 20
until grep -q 'onnect' upload.log; do sleep 0.2; done
receive
say 20 25
until_arrived 25
arrived
kill "$uploader"
pkill -P "$uploader" || true
"""


@pytest.fixture
def recipe() -> str:
    """The settings on the page."""
    page = Path("docs/logging.md").read_text()
    found = re.search(r"central\.conf <<END\n(.*?)END\n", page, re.S)
    assert found is not None
    return found[1]


def prepared(folder: Path, recipe: str) -> Path:
    """What the script needs in ``folder``; the settings with this receiver's address and CA."""
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem"))
    subprocess.run([*openssl, *names, *files], check=True, capture_output=True, timeout=LIMIT_S)
    (folder / "say.py").write_text(SAY)
    conf = folder / "central.conf"
    told = recipe.replace("https://logs.example:19532", "https://localhost:19532")
    told = told.replace("/etc/ssl/certs/ca-certificates.crt", str(folder / "server.pem"))
    assert told.count(str(folder)) == 1
    conf.write_text(told)
    return conf


def test_the_journal_arrives_whole_though_its_receiver_was_away(
    tmp_path: Path, recipe: str
) -> None:
    missing = [name for name in NEEDED if not (LIB / name).exists()]
    if missing or shutil.which("openssl") is None or shutil.which("ip") is None:
        pytest.skip(f"needs systemd-journal-remote, openssl and iproute2; missing: {missing}")
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces can't be made here")
    conf = prepared(tmp_path, recipe)
    done = subprocess.run(
        [*apart, "sh", "-c", SCRIPT, "sh", str(tmp_path), sys.executable, str(conf)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert done.stdout.split() == [str(seq) for seq in range(25)], done.stderr + logs
