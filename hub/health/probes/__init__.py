"""Measuring: each probe reads one thing of the box.

Paths below ``/proc``, ``/sys`` and ``/run`` are taken from a root that a test may move.  What a box
doesn't offer is None, never an error.  Functions that read files run in a thread.
"""
