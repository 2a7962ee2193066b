"""A simulated card terminal as a process of its own: ``python -m devices.terminal``.

It speaks nexo Retailer over TLS as :mod:`devices.peripherals.nexo` does, keeps a durable journal,
and does what a test tells it: approve, decline, approve offline, lose its power, answer late.
"""
