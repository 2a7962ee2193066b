"""Weights out of what scales send.

:mod:`toledo` and :mod:`sma` are pure: bytes in, readings out.
"""
