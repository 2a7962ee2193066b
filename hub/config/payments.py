"""Settings of card payments."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from hub.config.base import AbsolutePath, HttpUrl, Section
from hub.config.rules import need, refuse
from hub.domain.payments.exposure import HOUR_MS, Caps


class Payments(Section):
    """Card payments: what the shop risks while the processor can't be asked, and who presents what
    the hub keeps. Amounts are in minor units of the store's currency."""

    offline: bool = Field(
        default=True, description="Accept cards without the processor, within the caps below."
    )
    payment_cap_minor: int = Field(
        default=100_00, ge=0, le=10_000_000_00, description="One payment at most."
    )
    terminal_cap_count: int = Field(
        default=50, ge=0, le=10_000, description="Payments that one terminal holds at most."
    )
    terminal_cap_minor: int = Field(
        default=2_000_00, ge=0, le=10_000_000_00, description="What one terminal holds at most."
    )
    store_cap_minor: int = Field(
        default=10_000_00, ge=0, le=100_000_000_00, description="What the shop risks at most."
    )
    card_per_day: int = Field(
        default=2, ge=0, le=100, description="Payments of one card a day at most."
    )
    warn_after_h: int = Field(
        default=4, ge=1, le=72, description="Warn when the oldest one waits for so long."
    )
    stop_after_h: int = Field(
        default=20, ge=1, le=72, description="Then no more are accepted offline."
    )
    deadline_h: int = Field(
        default=24,
        ge=1,
        le=72,
        description="Then a stored payment is not presented any more (the card schemes' limit for"
        " deferred authorisations is a day).",
    )
    processor: Literal["none", "oms", "stripe"] = Field(
        default="none",
        description="Who is presented what the hub keeps: the OMS's payments call, or Stripe. none:"
        " the terminals forward by themselves.",
    )
    stripe_key: SecretStr | None = Field(
        default=None, max_length=256, description="Stripe's secret key (a restricted one will do)."
    )
    stripe_key_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `stripe_key`."
    )
    stripe_url: HttpUrl = Field(
        default="https://api.stripe.com", description="Stripe's API, or a stand-in for it."
    )
    key: SecretStr | None = Field(
        default=None,
        min_length=32,
        max_length=256,
        description="What the keys of stored payments are sealed under: 32 characters or more, the"
        " same at every start and on the box that replaces this one. Without it the box's own key"
        " is used.",
    )
    key_file: AbsolutePath | None = Field(default=None, description="A file that holds `key`.")
    tips: bool = Field(default=False, description="Let customers add a tip to a card payment.")
    tip_max_percent: int = Field(
        default=30, ge=0, le=100, description="A tip of so much of the amount at most."
    )
    surcharge_max_percent: float = Field(
        default=0.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A surcharge that a terminal adds for paying by card may be so many percent of"
        " the amount at most; 0: none is expected. The hub never adds one: what is above is taken"
        " in as it was charged, and shown to people. Which cards may be surcharged, and how much,"
        " is the law's: in the EU and the UK no consumers' cards (PSD2 art. 62(4)), in the US no"
        " debit cards and as the schemes cap it, in Australia what the card costs the shop (RBA"
        " Standard No. 3).",
        examples=[1.5],
    )
    link_at_once: bool = Field(
        default=False,
        description="Have the OMS send a payment link as soon as a payment with a contact is owed;"
        " else a person asks for it.",
    )
    mirror: str = Field(
        default="",
        max_length=40,
        pattern=r"^([a-z0-9][a-z0-9-]{2,39})?$",
        description="A paired device that keeps a copy (sealed) of each stored payment, and the"
        " contact of what is owed; empty: none. A payment is acknowledged only when it has it.",
        examples=["till-02"],
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.processor == "stripe":
            need(self, "stripe_key", because='payments.processor is "stripe"')
        if self.stop_after_h > self.deadline_h:
            refuse("stop_after_h", "payments.stop_after_h is above payments.deadline_h")
        if self.warn_after_h > self.stop_after_h:
            refuse("warn_after_h", "payments.warn_after_h is above payments.stop_after_h")
        return self

    def caps(self) -> Caps:
        """The same as the rules know it."""
        return Caps(
            payment_minor=self.payment_cap_minor,
            terminal_count=self.terminal_cap_count,
            terminal_minor=self.terminal_cap_minor,
            store_minor=self.store_cap_minor,
            token_per_day=self.card_per_day,
            warn_age_ms=self.warn_after_h * HOUR_MS,
            stop_age_ms=self.stop_after_h * HOUR_MS,
            deadline_ms=self.deadline_h * HOUR_MS,
        )
