"""Sells a year of real shopping baskets through a whole shop and proves that nothing was lost.

``baskets`` reads the real tickets, ``mapping`` turns them into our sales, ``datasets`` writes what
the cloud must know beforehand, ``compare`` reads both databases afterwards and trusts nobody,
``report`` prints the outcome.  The rules are written down in docs/replay-mapping.md.
"""
