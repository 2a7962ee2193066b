"""Writes the pages about metrics, log lines and the states of payments (``docs/``) from their
tables: ``python -m hub.observe.docs --write``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from hub.domain.payments import diagram
from hub.events import KINDS, Kind
from hub.observe.table import METRICS, Metric

PAGE: Final = Path("docs/metrics.md")
LOG_PAGE: Final = Path("docs/logging.md")
STATES_PAGE: Final = Path("docs/payments-states.md")
_HEAD: Final = """\
# Metrics

`GET /metrics` serves these to Prometheus (text format 0.0.4). This page is generated from
`hub/observe/table.py` by `python -m hub.observe.docs --write`; a test compares it with what a
running hub serves.

Who can read them is the setting `metrics.listen`:

- `"loopback"` (default): this machine only, in clear, at `http://127.0.0.1:9464/metrics`;
- `"lan"`: the network, at `https://HUB:9464/metrics` with the hub's certificate, and only with
  `Authorization: Bearer` and the token of `metrics.token` (or of the file `metrics.token_file`);
- `"off"`: nobody.

A port that is taken doesn't keep the hub from selling: it says so in its log and tries again every
30 s. A scrape looks at what the status page shows, at most a second old; however often somebody
asks, the shop doesn't notice. There are no goods, no names and no single devices in it, no amount
of money but what the shop risks on cards, and the number of series has a bound that nobody outside
can stretch.

```yaml
scrape_configs:                       # prometheus.yml, metrics.listen = "lan"
  - job_name: store-hub
    scheme: https
    authorization: {credentials_file: /etc/prometheus/store-hub.token}
    tls_config: {ca_file: /etc/prometheus/store-367-ca.pem}   # GET /api/1/ca of that hub
    static_configs: [{targets: ["store-hub.store-367.example:9464"], labels: {store: "367"}}]
```

Alert rules, their unit tests and a dashboard lie in `docs/monitoring/`; each alert has its page in
`docs/runbook/`. A metric whose value this box can't tell (no temperature sensor, say) is absent.

| metric | kind | labels | what it says | series at most |
|---|---|---|---|---|
"""


_LOG_HEAD: Final = """\
# The log

Under systemd the hub speaks journald's own protocol; elsewhere it writes text or, with
`log.format = "json"`, one JSON object a line. Whatever the sink, secrets and card numbers are
masked, a message is bounded in size and number, and nothing that was sold, to whom or by whom is
part of a message.

| field | what it is |
|---|---|
| `MESSAGE`, `PRIORITY` | the text, and how severe it is |
| `MESSAGE_ID` | the kind of event, from the table below; it never changes |
| `LOGGER` | the room of the hub that speaks |
| `HUB_STORE` | the shop |
| `HUB_EVENT` | the kind's name |
| `HUB_DEVICE` | the device, or who else asked |
| `HUB_OPERATION` | service/operation |
| `HUB_CORRELATION` | the request's idempotency key, which the device has in its journal, too |
| `HUB_SEQ` | the number of the event for the cloud: the reply's `seq` |

Other fields of a kind are `HUB_` and their name in capitals. JSON lines have the same, small and
without `HUB_`, in `fields`.

## Following one sale

Requests and acknowledged events are logged at `debug` only: a busy shop has millions. Set the level
for a while (the page's *Logs*, or `log.level`), then:

```
journalctl HUB_CORRELATION=0199f3a2-7e91-7c2e-9b5a-6d0e3f8a2b0d -o verbose   # the request; HUB_SEQ
journalctl HUB_SEQ=4711 -o verbose              # its answer, and when the cloud had its event
journalctl HUB_DEVICE=till-01 --since -1h -p debug
```

## Sending it away

`systemd-journal-upload` sends the journal, fields included, to central IT's
`systemd-journal-remote`. It keeps its place in a file and goes on from there: nothing is lost while
the link is down, as long as the journal itself isn't rotated away (`SystemMaxUse=`). Tried with
Debian 12 (systemd 252):

```
apt-get install systemd-journal-remote
mkdir -p /etc/systemd/journal-upload.conf.d /etc/systemd/system/systemd-journal-upload.service.d
cat > /etc/systemd/journal-upload.conf.d/central.conf <<END
[Upload]
URL=https://logs.example:19532
ServerKeyFile=-
ServerCertificateFile=-
TrustedCertificateFile=/etc/ssl/certs/ca-certificates.crt
END
cat > /etc/systemd/system/systemd-journal-upload.service.d/patience.conf <<END
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=30
END
systemctl daemon-reload
systemctl enable --now systemd-journal-upload
```

- Without `patience.conf` it is gone after a minute without network: it ends whenever it reaches
  nobody, and Debian's unit gives up after five starts in ten seconds.
- The files are named because their defaults don't exist: without `ServerKeyFile=-` it doesn't start
  before you give it a client's certificate, and without `TrustedCertificateFile=` it trusts nobody.
- Whenever it starts again the last message is sent once more.
- Debian 12's `systemd-journal-remote` can't check clients' certificates (its `--trust` says
  "not available"). Let a TLS proxy in front of it do that, or let only the shops' network in.
- There, `journalctl -D /var/log/journal/remote HUB_STORE=367 HUB_DEVICE=till-01` asks as above.

Or without the journal, by OTLP/HTTP (JSON) to any OpenTelemetry collector: set `log.otlp_url`,
`log.otlp_token_file` and, where needed, `log.otlp_ca_file`. What is logged goes to a spool on disk
within a second and is sent from there in batches of at most 500, the oldest first; while nobody
answers, the collector asks for patience (429, 502, 503, 504) or doesn't take the token (401, 403),
or a gateway answers in its place, it waits, with growing pauses of up to five minutes, across
restarts. Beyond `log.otlp_spool_mb` the oldest is dropped, and on a disk with less than twice
`storage.reserve_mb` free what comes then; that, and what a collector refuses for good, is counted
in `store_hub_otlp_dropped_total`. A message may arrive twice when the hub is ended while it is
sent; a kill may lose the last second, a power cut half a minute. Traces go the same way: see
[tracing](tracing.md).

## Kinds of events

This page is generated from `hub/events.py` by `python -m hub.observe.docs --write`.

| kind | `MESSAGE_ID` | level | what it says | fields | runbook |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page about metrics."""
    return _HEAD + "".join(map(_row, METRICS))


def log_page() -> str:
    """The page about the log."""
    return _LOG_HEAD + "".join(map(_kind_row, KINDS))


def _row(one: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.served_as}` | {one.kind} | {labels} | {one.help} | {one.series} |\n"


def _kind_row(one: Kind) -> str:
    fields = ", ".join(f"`{name}`" for name in one.fields)
    page = f"[{one.page}](runbook/{one.page}.md)" if one.page else ""
    return f"| `{one.name}` | `{one.message_id}` | {one.level} | {one.text} | {fields} | {page} |\n"


def pages() -> dict[Path, str]:
    """What is generated, by its place."""
    return {PAGE: page(), LOG_PAGE: log_page(), STATES_PAGE: diagram.page()}


def main(arguments: list[str]) -> int:
    """0 when the pages are as they should be, or were written."""
    if "--write" in arguments:
        for path, text in pages().items():
            path.write_text(text)
        return 0
    stale = [path for path, text in pages().items() if not _is(path, text)]
    for path in stale:
        sys.stderr.write(f"{path} is not up to date: python -m hub.observe.docs --write\n")
    return 1 if stale else 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
