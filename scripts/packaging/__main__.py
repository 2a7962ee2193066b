"""``python -m scripts.packaging ROOT DEB``: a shell in a box; see ``scripts/box --help``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.packaging.machine import NoMachine, booted

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Boot, give a shell, and throw everything away."""
    lower, deb = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        with booted(lower) as machine:
            machine.put(deb, f"/srv/{deb.name}")
            machine.put(ROOT / "scripts" / "install", "/srv/install")
            print(f"Install it with: /srv/install --deb /srv/{deb.name}", file=sys.stderr)
            print("Everything is gone when this shell ends.", file=sys.stderr)
            return subprocess.run(machine.inside("bash", "-l"), check=False).returncode
    except NoMachine as error:
        print(f"box: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
