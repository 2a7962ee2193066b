"""``python -m scripts.living_shop``, started by ``scripts/run``."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from devices.kit import KitError
from scripts.living_shop.shop import AlreadyOpen, LivingShop, NotOurs, Wish
from scripts.living_shop.view import plain_line, screen
from scripts.rig import ChildDied, Trouble

_ABOUT = """\
A living shop on this machine: a sandbox cloud, a hub with its own MQTT broker, and virtual tills
that are paired over TLS and sell demo products until you press Ctrl-C.

Everything is kept in the state directory: the next start is the same shop, and goes on selling.
"""
_MORE = """\
Look at it meanwhile (the paths are printed at the start):
  store-hub --config STATE/config.toml sales list      the latest sales
  store-hub --config STATE/config.toml outbox status   what waits for the cloud
  kill -9 any of the processes below                   (the broker comes back by itself)
  echo printer-paper-empty > STATE/tills/till-01/conditions    (rm it: a new roll is in)
  scripts/run --fresh                                  forget everything and begin anew
"""
DEFAULT_STATE = Path(__file__).resolve().parents[2] / "var" / "shop"
_SCREEN_S = 0.5
_LINE_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """0: closed as asked; 1: it could not open, or a part of it ended; 2: wrong usage."""
    options = _parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    wish = Wish(
        state=options.state.absolute(),
        tills=options.tills,
        rate=options.rate,
        port=options.port,
        bind=options.bind,
        fresh=options.fresh,
    )
    try:
        with _only_one(wish.state):
            return asyncio.run(_live(wish, options.minutes, options.plain, console))
    except (
        *(AlreadyOpen, NotOurs, ChildDied, Trouble, TimeoutError, KitError),
        *(OSError, ValueError),
    ) as error:
        console.print(f"✗ {error}", style="red", markup=False)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/run",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="default: var/shop")
    parser.add_argument("--tills", type=_count, default=4, help="how many tills (4)")
    parser.add_argument("--rate", type=_rate, default=60.0, help="sales per minute, together (60)")
    parser.add_argument("--minutes", type=_rate, help="close by itself after so long")
    parser.add_argument("--port", type=int, help="of the status page (8443 the first time)")
    parser.add_argument(
        "--bind", default="127.0.0.1", help="address for devices and page (this machine only)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the last shop first")
    parser.add_argument("--plain", action="store_true", help="lines instead of a live screen")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 50:
        raise argparse.ArgumentTypeError("1 to 50")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number <= 100_000:
        raise argparse.ArgumentTypeError("a number above 0")
    return number


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    """One living shop per state directory.  Raises AlreadyOpen."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with (state.parent / f".{state.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyOpen(
                f"a living shop runs on {state} already: stop it with Ctrl-C in its terminal, or"
                " open another one with --state DIR"
            ) from None
        yield


async def _live(wish: Wish, minutes: float | None, plain: bool, console: Console) -> int:
    stop = asyncio.Event()
    opening = asyncio.current_task()
    assert opening is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, opening.cancel)
    shop = LivingShop(wish, lambda text: console.print(f"[green]✓[/green] {text}"))
    broken = ""
    try:
        await shop.open()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await _tell_where(shop, console)
        broken = await _watch(shop, stop, minutes, console, live=console.is_terminal and not plain)
    except asyncio.CancelledError:
        opening.uncancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        console.print("closing: tills, hub, cloud ...")
        await shop.close()
    if broken:
        console.print(broken, style="red", markup=False)
        return 1
    console.print(f"[green]✓[/green] closed. {shop.tally.sales:,} sales this time.")
    console.print(
        f"  Everything is kept in {wish.state}: the next scripts/run goes on,"
        " scripts/run --fresh begins anew."
    )
    return 0


async def _tell_where(shop: LivingShop, console: Console) -> None:
    rig = shop.rig
    page = await rig.admin.open_technician()
    console.print()
    for name, value in (
        ("status page", f"{page['url']}  (its certificate is the hub's own)"),
        ("sign in with", f"{page['code']}  (once; a new one: store-hub pair --technician)"),
        ("or as staff", "900 with PIN 9000  (the demo's manager)"),
        ("CA fingerprint", rig.hub_ready["ca_fingerprint"]),
        ("sandbox cloud", rig.oms_admin.url),
        ("state, logs", str(rig.base)),
        ("settings", f"{rig.config_file}  (for store-hub --config)"),
        ("paper", f"{rig.base / 'receipts.txt'}  (what its simulated printer prints)"),
    ):
        console.print(f"  {name:15} {value}", markup=False)
    console.print("\n  Ctrl-C closes the shop; what it sold is kept.\n")


async def _watch(
    shop: LivingShop, stop: asyncio.Event, minutes: float | None, console: Console, *, live: bool
) -> str:
    """Show the shop until it is to close; what broke, if anything."""
    showing = asyncio.create_task(
        _show_screen(shop, console) if live else _show_lines(shop, console)
    )
    try:
        async with asyncio.timeout(None if minutes is None else minutes * 60):
            while not stop.is_set():
                if broken := shop.broken():
                    return broken
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SCREEN_S):
                        await stop.wait()
    except TimeoutError:
        console.print(f"{minutes:g} minutes are over")
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    return ""


async def _show_lines(shop: LivingShop, console: Console) -> None:
    while True:
        await asyncio.sleep(_LINE_S)
        console.print(plain_line(shop.tally, await shop.look()))


async def _show_screen(shop: LivingShop, console: Console) -> None:
    from rich.live import Live

    address = shop.rig.hub_ready["url"]
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(screen(shop.tally, await shop.look(), address), refresh=True)
            await asyncio.sleep(_SCREEN_S)


if __name__ == "__main__":
    sys.exit(main())
