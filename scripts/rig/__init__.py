"""A whole shop as real processes: started, killed, cut off from each other, and stopped again.

``process`` runs a child that dies with us, ``wire`` is a cable that can be cut, ``talk`` asks the
hub and the sandbox OMS, ``shop`` puts them together in one directory.
"""

from __future__ import annotations

from scripts.rig.process import Child, ChildDied
from scripts.rig.shop import Ports, ShopRig, free_port
from scripts.rig.talk import HubAdmin, OmsAdmin, Trouble
from scripts.rig.wire import Wire

__all__ = [
    "Child",
    "ChildDied",
    "HubAdmin",
    "OmsAdmin",
    "Ports",
    "ShopRig",
    "Trouble",
    "Wire",
    "free_port",
]
