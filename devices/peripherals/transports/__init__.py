"""Ways to a peripheral's bytes: each makes a wire when it is asked, and none blocks the loop.

``address.connector`` reads an address from the settings; see there for what may be written.
"""
