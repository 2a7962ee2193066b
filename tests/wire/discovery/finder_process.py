"""A device that looks for hubs; the answer is a line of JSON on stdout.

usage: finder_process.py TIMEOUT-S ENOUGH
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

from devices.kit.finder import find_hubs

found = asyncio.run(find_hubs(float(sys.argv[1]), enough=int(sys.argv[2])))
print(json.dumps([dataclasses.asdict(hub) for hub in found]))
