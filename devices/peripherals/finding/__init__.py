"""What could be configured: what is plugged into the box, and printers on its network.

``find`` asks everything at once and is done within its time; nothing that is found is opened.
"""

from devices.peripherals.finding.found import Found, How
from devices.peripherals.finding.search import find

__all__ = ["Found", "How", "find"]
