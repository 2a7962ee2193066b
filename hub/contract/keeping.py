"""What a device that keeps copies of stored payments is asked, as ``data`` of ``cmd/{operation}``.

The hub acknowledges a stored payment only when the device has it on disk.  A hub that takes a lost
one's place asks for the copies.  A copy is opaque to the device: its token is sealed.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId

KEEP: Final = "payment-keep"
"""``data`` is a :class:`PaymentCopy`, the answer a :class:`CopyKept`, when it is on disk."""
DROP: Final = "payment-drop"
"""``data`` is a :class:`DropCopies`, the answer a :class:`CopyKept`."""
RETURN: Final = "payment-return"
"""``data`` is a :class:`AskCopies`, the answer a :class:`Copies`."""
CAPABILITY: Final = "keeps-payments"
"""What the device's meta names when it keeps them."""
COPY_CHARS_MAX: Final = 12_288
COPIES_MAX: Final = 2000
"""So many a device keeps; beyond, it refuses with ``storage-full``."""
COPIES_PER_ANSWER: Final = 8
DROP_MAX: Final = 100


class PaymentCopy(Incoming):
    """A stored payment: ``copy`` is text that only the hub reads."""

    payment_id: UniqueId
    copy_text: Annotated[str, Field(min_length=1, max_length=COPY_CHARS_MAX)]


class CopyKept(Outgoing):
    """It is on disk (or gone from it); ``kept``: how many copies the device has now."""

    kept: int


class DropCopies(Incoming):
    """Forget these; ones that aren't there are passed over."""

    payment_ids: Annotated[tuple[UniqueId, ...], Field(min_length=1, max_length=DROP_MAX)]


class AskCopies(Incoming):
    """Give the copies whose ids come after this one, in order; empty: from the first on."""

    after: Annotated[str, Field(max_length=36)] = ""


class Copies(Outgoing):
    """Up to 8 copies; ``more``: ask again after the last one."""

    copies: tuple[PaymentCopy, ...] = ()
    more: bool = False
