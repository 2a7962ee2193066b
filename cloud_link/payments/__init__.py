"""Stored card payments on their way to the processor."""
