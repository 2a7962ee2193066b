"""Documents as a web page of one file: for e-receipts, and to print with any browser.

No script, no request: pictures and codes are in the page.  A screen reader finds the title as a
heading, rows as table rows with the label as their header, and codes with their data.  Dark mode
inverts the paper but keeps codes black on white, as scanners need it.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Final, assert_never

from hub.documents.codes import QUIET_BARS, QUIET_QR, bar_runs, bars, squares
from hub.documents.layout import (
    Align,
    Barcode,
    Block,
    Cell,
    Image,
    Layout,
    QrCode,
    Row,
    Rule,
    Space,
    Style,
    Table,
    Text,
)

_STYLE: Final = """\
:root{color-scheme:light dark;--paper:#fff;--ink:#111;--faint:#d7d7d7;--desk:#ececea}
@media(prefers-color-scheme:dark){:root{--paper:#1c1c1e;--ink:#f2f2f2;--faint:#48484a;--desk:#000}}
*{box-sizing:border-box}
body{margin:0;padding:1rem;background:var(--desk);color:var(--ink);
font:16px/1.4 system-ui,"DejaVu Sans","Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:27rem;margin:0 auto;padding:1.5rem 1.25rem;background:var(--paper);
border-radius:.5rem;box-shadow:0 1px 6px #0003;overflow-wrap:anywhere}
h1{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
p{margin:0}
.center{text-align:center}.end{text-align:end}
.bold{font-weight:700}.under{text-decoration:underline}
.large{font-size:1.6em;line-height:1.25}
.inverse{background:var(--ink);color:var(--paper);padding:.15em .4em;
-webkit-print-color-adjust:exact;print-color-adjust:exact}
table{width:100%;border-collapse:collapse}
th,td{padding:0 0 0 .75em;text-align:start;vertical-align:baseline;font-weight:inherit}
[dir=rtl] th,[dir=rtl] td{padding:0 .75em 0 0}
th:first-child,td:first-child{padding:0}
.keep{white-space:nowrap;width:1%}
hr{border:0;border-top:1px solid var(--ink);margin:.5em 0}
hr.heavy{border-top-width:3px}
.space{height:.8em}
figure{margin:.4em 0;text-align:center}
figure svg,figure img{display:block;margin:0 auto;max-width:100%;height:auto}
.code{background:#fff;border-radius:.25rem}
@media print{@page{margin:4mm}
:root{--paper:#fff;--ink:#000}body{padding:0;background:none;font-size:10pt}
main{max-width:none;padding:0;box-shadow:none;border-radius:0}tr,figure{break-inside:avoid}}
"""


def page(layout: Layout) -> str:
    """The whole page, UTF-8 to be."""
    direction = "rtl" if layout.rtl else "ltr"
    body = "\n".join(_block(block) for block in layout.blocks)
    title = escape(layout.title)
    return (
        f'<!doctype html>\n<html lang="{escape(layout.locale)}" dir="{direction}">\n<head>\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title}</title>\n<style>\n{_STYLE}main{{width:{_width(layout)}}}\n</style>\n"
        f"</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _width(layout: Layout) -> str:
    # A screen is no narrower than 80 mm paper; a label keeps its shape.
    width_mm = layout.width_mm if layout.height_mm else max(80, layout.width_mm)
    return f"min(100%,{width_mm * 27 / 80:.1f}rem)"


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"<p{_classes(block.align, block.style)}>{_text(block.text)}</p>"
        case Row():
            return _table((block,))
        case Table():
            return _table(block.rows)
        case Rule():
            return '<hr class="heavy">' if block.heavy else "<hr>"
        case Space():
            return '<div class="space"></div>' * block.lines
        case Barcode():
            return _bars(block)
        case QrCode():
            return _squares(block)
        case Image():
            data = base64.b64encode(block.png).decode("ascii")
            return (
                f'<figure><img src="data:image/png;base64,{data}" alt="{escape(block.alt)}"'
                f' style="width:{block.width_mm}mm"></figure>'
            )
        case _:
            assert_never(block)


def _table(rows: tuple[Row, ...]) -> str:
    count = max((len(row.cells) for row in rows), default=0)
    body = "\n".join(_row(row, count) for row in rows)
    return f"<table>\n{_shares(rows, count)}{body}\n</table>"


def _shares(rows: tuple[Row, ...], count: int) -> str:
    """Several weights: columns of equal place in every table that has them."""
    weights = [
        max((row.cells[n].weight for row in rows if n < len(row.cells)), default=0)
        for n in range(count)
    ]
    if sum(1 for weight in weights if weight) < 2:
        return ""
    total = sum(weights)
    columns = "".join(f'<col style="width:{100 * weight // total}%">' for weight in weights)
    return f"<colgroup>{columns}</colgroup>\n"


def _row(row: Row, count: int) -> str:
    last = len(row.cells) - 1
    cells = "".join(
        _cell(cell, n == 0, count - last if n == last else 1) for n, cell in enumerate(row.cells)
    )
    return f"<tr{_classes(Align.START, row.style)}>{cells}</tr>"


def _cell(cell: Cell, first: bool, columns: int) -> str:
    names = [] if cell.align is Align.START else [cell.align.value]
    names += [] if cell.weight or not cell.text else ["keep"]
    kind = f' class="{" ".join(names)}"' if names else ""
    kind += f' colspan="{columns}"' if columns > 1 else ""
    if first and cell.text.strip():
        return f'<th scope="row"{kind}>{_text(cell.text)}</th>'
    return f"<td{kind}>{_text(cell.text)}</td>"


def _classes(align: Align, style: Style) -> str:
    named = (
        (align is not Align.START, align.value),
        (style.bold, "bold"),
        (style.underline, "under"),
        (style.inverse, "inverse"),
        (style.scale == 2, "large"),
    )
    names = [name for wanted, name in named if wanted]
    return f' class="{" ".join(names)}"' if names else ""


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _bars(block: Barcode) -> str:
    modules = bars(block)
    if modules is None:
        return f'<p class="center">{escape(block.data)}</p>'
    shapes = "".join(f"M{at + QUIET_BARS} 0h{run}v1h-{run}z" for at, run in bar_runs(modules))
    width = len(modules) + 2 * QUIET_BARS
    below = f"<figcaption>{escape(block.text)}</figcaption>" if block.text else ""
    return (
        f'<figure><svg class="code" role="img" aria-label="{escape(block.data)}"'
        f' viewBox="0 0 {width} 1" preserveAspectRatio="none"'
        f' style="width:{width * 0.33:.0f}mm;height:{block.height_mm}mm">'
        f'<path fill="#000" shape-rendering="crispEdges" d="{shapes}"/></svg>{below}</figure>'
    )


def _squares(block: QrCode) -> str:
    modules = squares(block)
    if modules is None:
        return f'<p class="center">{escape(block.data)}</p>'
    side = len(modules) + 2 * QUIET_QR
    shapes = "".join(
        f"M{at + QUIET_QR} {down + QUIET_QR}h{run}v1h-{run}z"
        for down, line in enumerate(modules)
        for at, run in bar_runs("".join(map(str, line)))
    )
    return (
        f'<figure><svg class="code" role="img" aria-label="QR: {escape(block.data)}"'
        f' viewBox="0 0 {side} {side}" style="width:{max(block.size_mm, 40)}mm">'
        f'<path fill="#000" shape-rendering="crispEdges" d="{shapes}"/></svg></figure>'
    )
