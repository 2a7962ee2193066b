"""The count of receipts sees what it has to; the cable stops at the byte it was told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice

import pytest

from devices.peripherals.escpos.commands import CONFIRM, HEAD, cut, status_request
from hub.service.handlers.printing import DIED
from scripts.printing.control import PLANTED, unseen_faults
from scripts.printing.line import HOST, Line
from scripts.printing.papers import LAST_LINE, Job, Paper, read_paper
from scripts.printing.plan import AIMS, strikes
from scripts.printing.verdict import Evidence, judge

PAPER = f"Corner Market\nReceipt 001-000007   22/11/2026\nTea   4.99\n{LAST_LINE}\n[image]\n"


def job(number: int, **changed: object) -> Job:
    made = Job(
        number=number,
        job_id=f"job-{number}",
        device_id="till-1",
        state="printed",
        subject=f"sale-{number}",
        receipt_no=f"001-{number:06}",
        printer="printer-1",
        copy=0,
        of_job="",
        answer="",
        reason="",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def paper(number: int, *, copy: bool = False, whole: bool = True) -> Paper:
    return Paper("printer-1", f"001-{number:06}", copy, whole)


def evidence() -> Evidence:
    """A plain receipt; one in doubt that was torn; one that was printed again."""
    again = job(3, state="cancelled", answer="again", reason=DIED)
    copy = job(4, subject="sale-3", receipt_no="001-000003", copy=1, of_job="job-3")
    return Evidence(
        printers=1,
        sold={f"sale-{n}": f"001-{n:06}" for n in (1, 2, 3)},
        jobs=[job(1), job(2, state="ambiguous", reason=DIED), again, copy],
        papers=[paper(1), Paper("printer-1", "", False, False), paper(3), paper(3, copy=True)],
        deaths=[frozenset({"job-2"}), frozenset(), frozenset({"job-3"})],
    )


def test_a_shop_that_printed_everything_once_is_sound() -> None:
    assert judge(evidence()) == []


def test_every_planted_fault_is_seen() -> None:
    assert len(PLANTED) > 10
    assert unseen_faults(evidence()) == []


def test_a_torn_receipt_and_a_whole_one_of_one_job_are_one_too_many() -> None:
    found = evidence()
    found.papers = [*found.papers, paper(3, whole=False)]
    assert any("on paper 2 times" in one for one in judge(found))


@pytest.mark.parametrize(
    ("boundary", "text", "expected"),
    [
        ("cut", PAPER, Paper("p", "001-000007", False, True)),
        ("connection-closed", PAPER, Paper("p", "001-000007", False, False)),
        ("cut", PAPER.replace(LAST_LINE, ""), Paper("p", "001-000007", False, False)),
        ("cut", f" COPY \n{PAPER}", Paper("p", "001-000007", True, True)),
        ("connection-closed", "Corner Market\nReceipt 001-00", Paper("p", "", False, False)),
    ],
)
def test_a_paper_is_whole_if_its_own_job_cut_it(boundary: str, text: str, expected: Paper) -> None:
    assert read_paper("p", boundary, text) == expected


def test_strikes_follow_from_the_seed_and_begin_with_one_of_each_aim() -> None:
    one, same, other = (list(islice(strikes(seed, 8), 50)) for seed in ("s", "s", "t"))
    assert one == same != other
    assert [strike.aim for strike in one[: len(AIMS)]] == list(AIMS)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
async def test_the_cable_lets_not_one_byte_more_through(part: float) -> None:
    printed, died = bytearray(), asyncio.Event()
    ended = asyncio.Event()

    async def printer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(4096):
            printed.extend(chunk)
            writer.write(b"\x00" * (chunk.count(CONFIRM) + chunk.count(status_request(1))))
        ended.set()
        writer.close()

    async with (
        await asyncio.start_server(printer, HOST, 0) as server,
        Line(server.sockets[0].getsockname()[1]) as line,
    ):
        reader, writer = await asyncio.open_connection(HOST, line.port)

        def fire() -> None:
            died.set()
            writer.close()

        trap = line.set_trap(part, fire)
        async with asyncio.timeout(60):
            for asked in (HEAD + CONFIRM, status_request(1)):
                writer.write(asked)
                await reader.readexactly(1)
            writer.write(b"x" * 3000 + cut(full=False))
            await died.wait()
            await ended.wait()
        assert trap.sprung
        assert printed.count(b"x") == round(part * 1500)
