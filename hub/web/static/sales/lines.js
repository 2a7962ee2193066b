// Lines of a sale or a basket as a table.

import { el } from "../kit/dom.js";
import { table } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { money, quantity } from "../kit/words.js";
import { productLink } from "../stock/list.js";

export function lineTable(lines, currency, label) {
  const rows = table([
    {
      title: t("line.product"),
      name: "main",
      cell: (one) => el("span", {}, productLink(one.sku, one.name),
        one.reason ? el("span", { class: "quiet" }, ` ${one.reason}`) : ""),
    },
    { title: t("line.qty"), name: "num", cell: (one) => quantity(one.qty, one.scale, one.uom) },
    { title: t("line.price"), name: "num", cell: (one) => money(one.unit_price_minor, currency) },
    { title: t("line.discount"), name: "num", cell: (one) => (one.discount_minor ? money(-one.discount_minor, currency) : "") },
    { title: t("line.back"), name: "num", cell: (one) => (one.returned_qty ? quantity(one.returned_qty, one.scale) : "") },
    { title: t("line.sum"), name: "key", cell: (one) => money(one.net_minor, currency) },
  ], label);
  rows.draw(lines, (one) => String(one.line_no));
  return rows.node;
}
