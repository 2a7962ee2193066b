"""Writes ``docs/metrics.md`` from the table: ``python -m hub.observe.docs --write``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from hub.observe.table import METRICS, Metric

PAGE: Final = Path("docs/metrics.md")
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
asks, the shop doesn't notice. There are no amounts of money, no goods, no names and no single
devices in it, and the number of series has a bound that nobody outside can stretch.

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


def page() -> str:
    """The page's text."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(one: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.served_as}` | {one.kind} | {labels} | {one.help} | {one.series} |\n"


def main(arguments: list[str]) -> int:
    """0 when the page is as it should be, or was written."""
    if "--write" in arguments:
        PAGE.write_text(page())
        return 0
    same = PAGE.exists() and PAGE.read_text() == page()
    if not same:
        sys.stderr.write(f"{PAGE} is not up to date: python -m hub.observe.docs --write\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
