// One basket as it is just now.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { readInto } from "../kit/list.js";
import { backLink, factList, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated, moment, money } from "../kit/words.js";
import { lineTable } from "./lines.js";

const about = ({ basket, total_minor: total, tax_minor: tax, currency }) => el("section", { class: "card" },
  el("h2", {}, t("sale.sums"), pill(word("basket.state", basket.state), basket.state === "open" ? "good" : "notice").node),
  el("p", { class: "big-figure" }, money(total, currency)),
  factList([
    [t("sale.tax"), money(tax, currency)],
    [t("sales.device"), isolated(basket.owner)],
    [t("basket.opened"), moment(basket.opened_at_ms)],
    [t("basket.changed"), moment(basket.changed_at_ms)],
  ]));

export function openBasket(root, basketId) {
  const name = el("h1", { tabindex: "-1" }, t("basket.title"));
  const body = el("div");
  root.append(backLink("#/sales", t("nav.sales")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, () => api.read(`/api/1/baskets/${encodeURIComponent(basketId)}`), (found) => {
    name.textContent = t("basket.of", { device: isolated(found.basket.owner) });
    return [
      ...found.warnings.map((one) => el("p", { class: "trouble" }, one)),
      el("div", { class: "board" }, about(found),
        el("section", { class: "card span-all" }, el("h2", {}, t("sale.lines")),
          found.lines.length ? lineTable(found.lines, found.currency, t("sale.lines"))
            : el("p", { class: "quiet" }, t("basket.empty")))),
    ];
  });
  return { close: reading.stop };
}
