"""Paper that prints once: a thousand receipts while the hub is killed, counted on the printers.

``shop`` sells with real tills at the real daemon, ``line`` is the cable to each emulated printer
and the place to strike from, ``trial`` kills and asks people, ``papers`` reads what came out,
``verdict`` compares paper with the hub's database, ``control`` shows that it can see a fault,
``careless`` is a hub with such a fault.
"""
