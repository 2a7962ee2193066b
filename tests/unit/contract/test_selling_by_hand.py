"""The shell blocks of docs/selling-by-hand.md are sound and name only what the contract has."""

from __future__ import annotations

import re
import subprocess

from hub.contract.publish import local
from hub.contract.publish.__main__ import ROOT
from hub.contract.registry import OPERATIONS, Door

TEXT = (ROOT / "docs" / "selling-by-hand.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def test_the_blocks_are_shell() -> None:
    script = "\n".join(["set -euo pipefail", *BLOCKS])
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_request_is_an_operation_of_devices() -> None:
    asked = re.findall(r'ask "\$\(uuid\)" ([a-z-]+)/([a-z-]+)', "".join(BLOCKS))
    asked += re.findall(r'ask "\$KEY" ([a-z-]+)/([a-z-]+)', "".join(BLOCKS))
    assert ("sale", "commit") in asked
    for address in asked:
        assert Door.DEVICE in OPERATIONS[address].doors


def test_every_path_is_one_of_the_http_api() -> None:
    paths = {path for _, path in local.routes()}
    found = set(re.findall(r"\$PORT(/[a-z0-9/]+)", "".join(BLOCKS)))
    assert found == {"/api/1/ca", "/api/1/pair"}
    assert found <= paths
