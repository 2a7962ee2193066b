"""A payment's token at rest."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SealedToken:
    """Sealed under a key of its own (AES-256-GCM, bound to the payment's id), which the key named
    ``key_id`` wraps.  Without that key it is noise; without ``wrapped`` nobody ever opens it."""

    key_id: str
    wrapped: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
