"""How fast the hub is, each figure beside a floor that is measured in the same run.

Absolute figures of one machine say little: its disk may sync ten times slower an hour later.  So
every figure is a ratio to a floor measured in turn with it (floor, figure, floor, figure …).

``figures`` is what a figure is, ``measure`` how samples become one, ``catalogue`` which there are,
``machine`` what they were measured on; ``report`` (terminal, JSON), ``markdown`` and ``plots`` show
them.  ``seeding`` makes databases, ``seeds`` keeps large ones, ``counter`` is a hub without wires,
``shop`` are whole hubs as processes, ``echo`` their floor, ``programs`` others' programs.  One
module each for the families of figures: ``commits``, ``sales``, ``lookups``, ``growth``,
``imports``, ``uplink``, ``freshness``, ``daemon``, ``crowd``, ``trials``, ``queues`` (with
``otherqueue``, ``postgres``).
"""
