"""Queries of the technician's pages: each is bounded by its limit and finds its rows by an index.
They run in the readers' threads, beside the writer."""

LAST = 1 << 62
"""Above every row number."""
