"""Running the checks and telling the outcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

import aiohttp

from hub.clock import Clock, Ids, Randomness, SystemClock, SystemIds, SystemRandomness

from . import data_checks, event_checks, link_checks, payment_checks, session_checks, value_checks
from .bench import Bench, Failed
from .caller import Caller, client_session

CHECK_TIMEOUT_S = 30
Check = Callable[[Bench], Awaitable[str]]

CHECKS: tuple[Check, ...] = (
    session_checks.strangers_are_refused,
    session_checks.replies_carry_the_incarnation,
    session_checks.hello_is_idempotent,
    session_checks.a_reconnect_keeps_the_session,
    session_checks.another_box_supersedes,
    session_checks.an_unknown_session_must_say_hello,
    session_checks.unknown_fields_are_refused,
    session_checks.a_foreign_contract_is_refused,
    session_checks.commands_follow_the_cursor,
    event_checks.events_are_acked_in_order,
    event_checks.repeats_are_acked_without_effect,
    event_checks.a_gap_is_refused,
    event_checks.an_id_counts_once_whatever_its_source,
    event_checks.an_older_source_is_still_taken,
    event_checks.a_reused_sequence_is_not_acked,
    event_checks.compressed_batches_are_read,
    event_checks.poison_is_named_and_can_be_parked,
    event_checks.unknown_types_are_kept_and_given_back,
    event_checks.large_batches_are_refused,
    event_checks.nonsense_is_refused,
    data_checks.snapshots_match_their_manifest,
    data_checks.a_generation_is_frozen,
    data_checks.changes_follow_the_snapshot,
    data_checks.digests_compare_as_of_the_heads,
    data_checks.digest_detail_names_the_difference,
    data_checks.a_bundle_nobody_asked_for_is_refused,
    payment_checks.a_payment_is_charged_once,
    payment_checks.a_key_belongs_to_one_effect,
    payment_checks.payments_that_are_not_known_are_not_found,
    payment_checks.a_capture_and_refunds_keep_within_the_payment,
    payment_checks.what_is_let_go_stays_so,
    payment_checks.a_declined_payment_may_be_charged_under_another_key,
    value_checks.a_card_that_nobody_knows_is_declined_and_stays_so,
    value_checks.a_hold_that_was_released_before_it_was_known_is_never_taken,
    value_checks.nobody_learns_which_cards_there_are,
    link_checks.a_payment_link_is_sent_once,
    link_checks.a_key_belongs_to_one_link,
    link_checks.a_link_is_called_back,
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check; ``detail`` says what was seen."""

    name: str
    ok: bool
    detail: str


async def run_checks(
    url: str,
    token: str,
    ca: str | None = None,
    *,
    signing_secret: str | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    randomness: Randomness | None = None,
) -> list[CheckResult]:
    """Check the OMS whose root is ``url`` in the scratch store ``oms-check-<random>``.

    ``token`` must be good for that store.  Never raises for what the OMS does.
    """
    clock = clock or SystemClock()
    randomness = randomness or SystemRandomness()
    ids = ids or SystemIds(clock, randomness)
    async with client_session(ca) as http:
        store = f"oms-check-{randomness.token_bytes(6).hex()}"
        caller = Caller(http, url.rstrip("/"), store, token, clock, ids, signing_secret)
        return [await _run(check, Bench(caller, ids)) for check in CHECKS]


async def _run(check: Check, bench: Bench) -> CheckResult:
    name = getattr(check, "__name__", "check").replace("_", " ")
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return CheckResult(name, ok=True, detail=await check(bench))
    except Failed as failed:
        return CheckResult(name, ok=False, detail=str(failed))
    except TimeoutError:
        return CheckResult(name, ok=False, detail=f"no outcome within {CHECK_TIMEOUT_S} s")
    except (aiohttp.ClientError, OSError) as lost:
        return CheckResult(name, ok=False, detail=f"the OMS can't be reached: {lost}")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as wrong:
        return CheckResult(name, ok=False, detail=f"the reply has another shape: {wrong!r}")


def as_table(results: Sequence[CheckResult]) -> str:
    """For people."""
    width = max((len(row.name) for row in results), default=0)
    lines = [
        f"{'ok  ' if row.ok else 'FAIL'}  {row.name:<{width}}  {row.detail}" for row in results
    ]
    failed = sum(not row.ok for row in results)
    return "\n".join([*lines, f"{len(results)} checks, {failed} failed"])


def as_json(results: Sequence[CheckResult]) -> str:
    """For machines."""
    return json.dumps(
        {"ok": all(row.ok for row in results), "checks": [asdict(row) for row in results]},
        ensure_ascii=False,
    )
