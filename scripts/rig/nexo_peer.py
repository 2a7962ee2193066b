"""An independent speaker of the terminals' protocol: the npm package @adyen/api-library.

It is installed into ``var/nexo-peer`` from the lock in ``tests/nexo-peer``, by
``python -m scripts.rig.nexo_peer --setup`` or when a test first asks for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from scripts.rig.npm_peer import NotPrepared, NpmPeer

PEER: Final = NpmPeer("nexo-peer")
prepare = PEER.prepare
ANSWER_S: Final = 60


class PeerRefused(RuntimeError):
    """The peer didn't do it; the text is its own."""


def ask(**asked: Any) -> dict[str, Any]:
    """What the peer answers (see ``tests/nexo-peer/peer.cjs``).  Errors: :class:`PeerRefused`."""
    return ask_all(asked)[0]


def ask_all(*asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for several, by one process.  Errors: :class:`PeerRefused` if it refuses one."""
    done = subprocess.run(
        [PEER.node(), str(PEER.lock / "peer.cjs"), str(PEER.kept)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
    )
    if done.returncode != 0:
        raise PeerRefused(done.stderr.strip()[-500:])
    said: list[dict[str, Any]] = json.loads(done.stdout)
    for one in said:
        if "error" in one:
            raise PeerRefused(one["error"])
    return [one["answer"] for one in said]


__all__ = ["NotPrepared", "PeerRefused", "ask", "ask_all", "prepare"]

if __name__ == "__main__":
    sys.exit(PEER.main("scripts.rig.nexo_peer", __doc__))
