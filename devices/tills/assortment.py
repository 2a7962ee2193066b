"""What the tills know of the shop's products: learnt by searching the hub's catalogue."""

from __future__ import annotations

from random import Random

from devices.kit import HubClient
from hub.contract.catalog import LookUp, ProductView, Search, SearchResult

WORDS = (
    *("milk", "bread", "butter", "apple", "cheese", "coffee", "tea", "water", "juice", "rice"),
    *("egg", "choc", "onion", "tomato", "banana", "ham", "soap", "paper", "shirt", "sock"),
    *"abcdefghijklmnoprstuvw",
)
_HITS = 50


class Assortment:
    """Products that can be sold: each has a price in force and was seen in the catalogue."""

    def __init__(self, rng: Random, at_most: int = 300) -> None:
        self._rng = rng
        self._at_most = at_most
        self._skus: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._skus)

    async def learn(self, hub: HubClient) -> None:
        """Search until enough is known; a catalogue that isn't there yet leaves it empty."""
        words = list(WORDS)
        self._rng.shuffle(words)
        for word in words:
            if len(self._skus) >= self._at_most:
                return
            found = await hub.request(
                Search(text=word, limit=_HITS), SearchResult, until_answered=True
            )
            self._skus.update({hit.sku: None for hit in found.hits if hit.price_minor})

    def forget(self, sku: str) -> None:
        """It turned out not to be for sale."""
        self._skus.pop(sku, None)

    def some(self, count: int) -> list[str]:
        """``count`` different SKUs (fewer if there are fewer), popular ones more often."""
        skus = list(self._skus)
        count = min(count, len(skus))
        chosen: dict[str, None] = {}
        while len(chosen) < count:
            rank = int(len(skus) * self._rng.random() ** 2)
            chosen[skus[rank]] = None
        return list(chosen)


async def look_up(hub: HubClient, code: str) -> ProductView:
    """What a scan of ``code`` shows."""
    return await hub.request(LookUp(code=code), ProductView, until_answered=True)


def believable_qty(rng: Random, scale: int) -> int:
    """Mostly one or two pieces; of weighed goods between 120 g and 2.4 kg."""
    if scale == 0:
        return rng.choices((1, 2, 3, 6, 12), (70, 18, 7, 4, 1))[0]
    base_units: int = rng.randint(120, 2400) * 10**scale // 1000
    return max(1, base_units)
