"""A living shop on one machine: sandbox cloud, hub, broker and virtual tills that sell.

``shop`` starts and stops it, ``stocking`` fills the shelves the first time, ``tally`` counts what
the tills tell, ``view`` shows it.
"""
