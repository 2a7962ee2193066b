"""Codes out of what scanners send: bytes of a serial line, or keys of a keyboard.

:mod:`framing` and :mod:`wedge` are pure: bytes and instants in, codes out.
"""
