"""``store-hub version``."""

from __future__ import annotations

import click

from hub.cli.common import json_option, print_json, print_table


@click.command(help="Versions of the hub and of what it stands on.")
@json_option
def command(*, as_json: bool) -> None:
    """Print them; a part that isn't installed is null."""
    import importlib.metadata
    import platform

    facts = {
        "store-hub": importlib.metadata.version("store-hub"),
        "python": platform.python_version(),
        "sqlite": _sqlite_version(),
        "mosquitto": _mosquitto_version(),
    }
    if as_json:
        print_json(facts)
    else:
        rows = [(name, version or "not installed") for name, version in facts.items()]
        print_table(("part", "version"), rows)


def _sqlite_version() -> str | None:
    # Read in a child: only hub.storage opens the library in this process.
    import subprocess
    import sys

    code = "import pysqlite3; print(pysqlite3.sqlite_version)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout.strip() or None


def _mosquitto_version() -> str | None:
    import re
    import shutil
    import subprocess

    # Debian keeps it in sbin, which is not on everyone's path.
    binary = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin"
    )
    if binary is None:
        return None
    done = subprocess.run([binary, "-h"], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"mosquitto version (\S+)", done.stdout)
    return found.group(1) if found else None
