"""Virtual tills: customers, cashiers and a manager in one process, for demos and tests.

They are devices like any other: paired, certified, and strangers to the hub's inside.
"""
