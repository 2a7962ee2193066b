"""A small OMS that honours the contract of ``hub.contract.oms``: its own process, aiohttp + SQLite.

It is the demo's cloud, the tests' counterpart and the executable description for whoever writes a
real one.  It knows nothing of the hub but the contract.  Start it with
``python -m cloud_link.sandbox --state DIR --port N --seed-demo``.
"""
