"""Planted bugs: a simulation that doesn't find them proves nothing."""
