"""Where the way to the cloud ends: each stretch cut once, on a network that the test makes up."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hub.health.checks.link import broken_at
from hub.health.probes.way import Net, Reach, Way
from tests.fakes import FakeClock

ROUTE = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.168.2.1      0x1         {flags}         00:11:22:33:44:55     *        eth0
"""
OMS = "203.0.113.7"


class Shop:
    """A box behind a router.  ``names``: whether the router looks names up (None: silently not)."""

    def __init__(self, root: Path, url: str = "https://oms.example") -> None:
        self.root = root
        self.names = True
        self.fresh_names = True
        self.oms: Reach = "reached"
        self.stirred: list[str] = []
        self.file("proc/self/net/route", ROUTE)
        self.file("sys/class/net/lo/operstate", "unknown\n")
        self.cable(True)
        self.router(True)
        self.way = Way(url, FakeClock(), Net(self._resolve, self._connect, self._stir), root)

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def cable(self, there: bool) -> None:
        self.file("sys/class/net/eth0/operstate", "up\n" if there else "down\n")
        self.file("sys/class/net/eth0/carrier", "1\n" if there else "0\n")

    def router(self, there: bool) -> None:
        self.file("proc/self/net/arp", ARP.format(flags="0x2" if there else "0x0"))

    def internet(self, there: bool) -> None:
        """Without it the router still gives what it remembers."""
        self.fresh_names = there
        self.oms = "reached" if there else "silent"

    async def _resolve(self, name: str, _port: int) -> list[str]:
        if not self.names:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if name == "oms.example":
            return [OMS]
        code = socket.EAI_NONAME if self.fresh_names else socket.EAI_AGAIN
        raise socket.gaierror(code, "no")

    async def _connect(self, address: str, port: int) -> Reach:
        assert (address, port) == (OMS, 443)
        return self.oms

    async def _stir(self, address: str) -> None:
        self.stirred.append(address)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def states(shop: Shop) -> list[str]:
    return [one.state for one in await shop.way.look()]


async def test_a_cable_that_is_out_is_this_boxs_network(shop: Shop) -> None:
    shop.cable(False)
    shop.names, shop.oms = False, "no-route"
    assert await states(shop) == ["broken", *["unknown"] * 4]


async def test_without_a_routers_address_it_is_the_router(shop: Shop) -> None:
    shop.file("proc/self/net/route", ROUTE.splitlines()[0])
    shop.names, shop.oms = False, "no-route"
    assert await states(shop) == ["ok", "broken", *["unknown"] * 3]


async def test_a_router_without_power_is_the_router(shop: Shop) -> None:
    shop.router(False)
    shop.names, shop.oms = False, "no-route"
    found = await shop.way.look()
    assert broken_at(found) == "router"
    assert "192.168.2.1 doesn't answer" in found[1].text
    assert shop.stirred == ["192.168.2.1"]


async def test_names_that_fail_while_the_cloud_answers_by_its_address_are_the_names(
    shop: Shop,
) -> None:
    await shop.way.remember()
    assert shop.way.knows
    shop.names = False
    assert await states(shop) == ["ok", "ok", "broken", "unknown", "unknown"]


async def test_names_that_fail_together_with_the_cloud_are_the_internet(shop: Shop) -> None:
    await shop.way.remember()
    shop.names, shop.oms = False, "silent"
    assert await states(shop) == ["ok", "ok", "unknown", "broken", "unknown"]


async def test_an_internet_that_is_gone_is_not_hidden_by_a_router_that_remembers_names(
    shop: Shop,
) -> None:
    shop.internet(False)
    assert await states(shop) == ["ok", "ok", "ok", "broken", "unknown"]


async def test_a_router_that_knows_no_way_is_the_internet(shop: Shop) -> None:
    shop.oms = "no-route"
    assert broken_at(await shop.way.look()) == "internet"


@pytest.mark.parametrize("oms", ["silent", "refused", "reached"])
async def test_an_oms_that_fails_behind_a_good_internet_is_the_oms(shop: Shop, oms: Reach) -> None:
    shop.oms = oms
    assert await states(shop) == ["ok", "ok", "ok", "ok", "broken"]


async def test_who_is_reached_proves_the_way_whatever_the_box_says_of_itself(shop: Shop) -> None:
    shop.cable(False)
    shop.oms = "refused"
    assert await states(shop) == ["ok", "ok", "ok", "ok", "broken"]


async def test_an_oms_by_address_needs_no_names(tmp_path: Path) -> None:
    shop = Shop(tmp_path, f"https://{OMS}")
    shop.names, shop.oms = False, "silent"
    assert await states(shop) == ["ok", "ok", "ok", "unknown", "broken"]
