"""``python -m cloud_link.check URL``: exit status 0 when every check passed, 1 otherwise."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from .runner import as_json, as_table, run_checks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and print the outcome."""
    parser = argparse.ArgumentParser(prog="oms-check", description="Check an OMS's behaviour.")
    parser.add_argument("url", help="the OMS's root, e.g. https://oms.example:8443")
    parser.add_argument("--token", help="bearer token; default: the variable OMS_TOKEN")
    parser.add_argument("--ca", help="PEM file of the authority to trust")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    token = given.token or os.environ.get("OMS_TOKEN", "")
    secret = os.environ.get("OMS_SIGNING_SECRET") or None
    results = asyncio.run(run_checks(given.url, token, given.ca, signing_secret=secret))
    sys.stdout.write((as_json if given.json else as_table)(results) + "\n")
    return 0 if all(row.ok for row in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
