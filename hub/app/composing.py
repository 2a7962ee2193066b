"""From the facts of a print job to what a printer gets: this shop's paper, that printer's width."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from devices.peripherals.desk import Desk
from hub.config import Settings
from hub.config.receipts import template_of
from hub.documents.layout import Layout
from hub.documents.returncode import Signer

if TYPE_CHECKING:
    from pydantic import ValidationError

log = logging.getLogger(__name__)


class Composer:
    """What it needs for documents is loaded when the first one is composed.

    ``return_key``: what codes for returns in other shops are signed with; None: there are none.
    """

    def __init__(self, settings: Settings, desk: Desk, return_key: bytes | None = None) -> None:
        self._desk = desk
        self._width_mm = settings.receipts.width_mm
        store = settings.store
        signer = None if return_key is None else Signer(store.id, return_key)
        made = template_of(settings.receipts, store.name, store.timezone, signer)
        if made.problem:
            log.warning("%s", made.problem)
        self.template = made.template
        """What the shop sets about its paper."""

    async def compose(self, document: str, printer_id: str) -> Layout:
        """``document``: facts as JSON.  Errors: ``ValueError`` when they are none."""
        post = self._desk.post(printer_id)
        width_mm = post.capabilities.width_mm if post is not None else 0
        return await asyncio.to_thread(self._composed, document, width_mm or self._width_mm)

    def _composed(self, document: str, width_mm: int) -> Layout:
        from pydantic import ValidationError

        from hub.contract.documents import facts_of
        from hub.documents.compose import compose
        from hub.documents.templates import Paper

        try:
            facts = facts_of(document)
        except ValidationError as error:  # its own words would bring the document into the log
            raise ValueError(f"these are no facts of a document: {_types(error)}") from None
        return compose(facts, self.template, Paper(width_mm))


def _types(error: ValidationError) -> str:
    return ", ".join(sorted({one["type"] for one in error.errors(include_input=False)}))
