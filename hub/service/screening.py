"""Card data is refused at the door; the rules are those of :mod:`hub.contract.screening`."""

from __future__ import annotations

from hub.contract.problems import Code, refuse
from hub.contract.screening import is_card_id, screen


def screen_key(key: str | None) -> None:
    """An idempotency key is kept with its answer.  Errors: ``card-data-refused``."""
    if key is not None and is_card_id(key):
        raise refuse(
            Code.CARD_DATA_REFUSED,
            "The idempotency key looks like card data: make a random one for every request.",
        )


__all__ = ["is_card_id", "screen", "screen_key"]
