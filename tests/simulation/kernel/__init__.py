"""A world of machines on virtual time, decided by one seed.

:class:`~tests.simulation.kernel.world.World` holds the loop, the network, the machines and the
trace; everything that is left to chance comes from its seed.
"""

from tests.simulation.kernel.loop import Endless, Killed, VirtualLoop
from tests.simulation.kernel.machine import Machine, MachineClock, Process
from tests.simulation.kernel.network import Link, Lost, Network
from tests.simulation.kernel.trace import Trace
from tests.simulation.kernel.world import World

__all__ = [
    "Endless",
    "Killed",
    "Link",
    "Lost",
    "Machine",
    "MachineClock",
    "Network",
    "Process",
    "Trace",
    "VirtualLoop",
    "World",
]
