"""``store-hub sandbox-oms send|commands|bundles|bundle|payments|faults|links|pay-link``: what
central IT does, by hand, and what the processor behind the OMS and customers do.

``send TYPE [JSON]`` writes a command for a hub; ``commands`` lists the newest with what hubs told
of them; ``bundles`` lists the support bundles that came, and ``bundle ID FILE`` fetches one.
``payments`` lists card payments as they stand; ``faults JSON`` has the processor misbehave, for
example ``{"late_ms": 20000}`` or ``{"decline_from_minor": 5000}``, until ``{}``.  ``links`` lists
payment links; ``pay-link PAYMENT`` has the customer pay by the last one of that payment.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERBS = ("send", "commands", "bundles", "bundle", "payments", "faults", "links", "pay-link")
TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 16 << 20
_HERE = {("http", host) for host in ("127.0.0.1", "::1", "localhost")}


def parser() -> argparse.ArgumentParser:
    """The command lines."""
    top = argparse.ArgumentParser(
        prog="sandbox-oms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb in VERBS:
        one = verbs.add_parser(verb)
        one.add_argument("--state", type=Path, required=True, help="the sandbox's directory")
        one.add_argument("--url", required=True, help="where it is (see its ready line)")
        one.add_argument("--store", help="store id; the sandbox's first one without it")
        if verb == "send":
            one.add_argument("type", help="for example drill.requested")
            one.add_argument("data", nargs="?", default="{}", help="a JSON object")
        if verb == "faults":
            one.add_argument("data", nargs="?", default="{}", help="a JSON object")
        if verb == "pay-link":
            one.add_argument("payment", help="the payment's id")
            one.add_argument("--amount-minor", type=int, help="another amount than asked for")
        if verb == "bundle":
            one.add_argument("id", help="of the command that asked for it")
            one.add_argument("file", type=Path, help="where it is written")
    return top


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 when it was done, 1 with a line that says why not."""
    given = parser().parse_args(arguments)
    try:
        _run(given)
    except (OSError, ValueError, KeyError) as wrong:
        sys.stderr.write(f"sandbox-oms: {_words(wrong)}\n")
        return 1
    return 0


def _run(given: argparse.Namespace) -> None:
    store = {"store": given.store} if given.store else {}
    query = f"?{urllib.parse.urlencode(store)}" if store else ""
    match given.verb:
        case "send":
            data = json.loads(given.data)
            if not isinstance(data, dict):
                raise ValueError("the data of a command is a JSON object")  # noqa: TRY004 - said
            body = {"type": given.type, "data": data, **store}
            _show(json.loads(_ask(given, "POST", "commands", body)))
        case "faults":
            faults = json.loads(given.data)
            _show(json.loads(_ask(given, "POST", "payments/faults", faults)))
        case "pay-link":
            asked = {"payment_id": given.payment, "amount_minor": given.amount_minor, **store}
            _show(json.loads(_ask(given, "POST", "payments/links/pay", asked)))
        case "bundle":
            name = urllib.parse.quote(given.id, safe="")
            given.file.write_bytes(_ask(given, "GET", f"support/{name}{query}"))
            sys.stdout.write(f"{given.file}\n")
        case verb:
            path = {"bundles": "support", "links": "payments/links"}.get(verb, verb)
            for row in json.loads(_ask(given, "GET", path + query))[verb]:
                _show(row)


def _show(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _ask(
    given: argparse.Namespace, method: str, path: str, body: dict[str, Any] | None = None
) -> bytes:
    address = urllib.parse.urlsplit(given.url)
    if address.scheme != "https" and (address.scheme, address.hostname) not in _HERE:
        raise ValueError("the address of a sandbox is https, or http on this machine")
    token = json.loads((given.state / "secrets.json").read_text())["admin_token"]
    authority = given.state / "tls" / "ca.pem"
    trust = ssl.create_default_context(cafile=str(authority)) if authority.exists() else None
    request = urllib.request.Request(  # noqa: S310 - checked above
        f"{given.url.rstrip('/')}/sandbox/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=trust) as answer:  # noqa: S310
        content: bytes = answer.read(ANSWER_BYTES_MAX)
        return content


def _words(wrong: Exception) -> str:
    if isinstance(wrong, urllib.error.HTTPError):
        try:
            return str(json.loads(wrong.read(65_536))["detail"])
        except (ValueError, KeyError, TypeError):
            return f"the sandbox answered {wrong.code}"
    return str(wrong) or type(wrong).__name__
