// One product: where its stock is, who has a claim on it, and how it came to be.

import * as api from "../api.js";
import { line } from "../kit/charts.js";
import { el, redraw, show } from "../kit/dom.js";
import { pagedList, readInto } from "../kit/list.js";
import { backLink, empty, factList, pill, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated, moment, money, quantity, signed } from "../kit/words.js";
import { labelButton } from "./label.js";

const LEVELS = ["sellable", "held", "reserved", "allotted", "safety", "available", "staged",
  "quarantine", "refurbish", "damaged", "transit_in"];
const ALWAYS = ["sellable", "available"];

function levels({ product, level }) {
  const say = (value) => quantity(value, product.scale, product.uom);
  return el("section", { class: "card" }, el("h2", {}, t("stock.levels")),
    el("p", { class: "big-figure" }, say(level.sellable)),
    el("p", { class: "quiet" }, t("stock.onshelf")),
    factList(LEVELS.filter((one) => level[one] || ALWAYS.includes(one))
      .map((one) => [t(`stock.level.${one}`), say(level[one])])));
}

function claims({ product, claims: found }) {
  return el("section", { class: "card" }, el("h2", {}, t("stock.claims")),
    el("ul", { class: "mini-list" }, found.map((one) => el("li", {},
      el("span", {}, t(`stock.claim.${one.kind}`), " ",
        one.kind === "basket"
          ? el("a", { href: `#/sales/basket/${encodeURIComponent(one.id)}` }, el("code", {}, one.id.slice(-8)))
          : el("a", { href: `#/orders/${encodeURIComponent(one.id)}` }, isolated(one.number || one.id))),
      el("span", {}, quantity(one.qty, product.scale, product.uom))))));
}

function drift({ product, drift: found }) {
  const buckets = [...new Set([...Object.keys(found.hub), ...Object.keys(found.oms)])];
  const say = (value) => (value === undefined ? "–" : quantity(value, product.scale, product.uom));
  return el("section", { class: "card" }, el("h2", {}, t("stock.drift"), pill(t("stock.drift.pill"), "warn").node),
    el("p", { class: "quiet" }, t("stock.drift.lead", { time: moment(found.found_at_ms) })),
    factList(buckets.map((one) => [word("stock.level", one),
      t("stock.drift.values", { hub: say(found.hub[one]), oms: say(found.oms[one]) })])));
}

function about({ product, count_task: task }) {
  const act = labelButton(product);
  return el("section", { class: "card" },
    el("h2", {}, t("stock.about"), product.active ? "" : pill(t("stock.inactive"), "idle").node),
    aboutFacts(product, task), act ? el("div", { class: "buttons" }, act) : "");
}

const aboutFacts = (product, task) =>
  factList([
    [t("stock.sku"), isolated(product.sku)],
    [t("stock.category"), product.category],
    [t("stock.price"), product.price_minor === undefined ? t("stock.noprice") : money(product.price_minor, product.currency)],
    [t("stock.uom"), product.uom],
    [t("stock.task"), task ? `${task.reason} · ${moment(task.at_ms)}` : ""],
  ]);

function paper(one) {
  const name = word("document", one.document);
  const number = one.receipt_no || (one.document_id ? one.document_id.slice(-8) : "");
  const text = [name, number].filter(Boolean).join(" ");
  if (one.document === "order" && one.document_id) {
    return el("a", { href: `#/orders/${encodeURIComponent(one.document_id)}` }, `${name} ${one.reason}`);
  }
  return one.sale_id ? el("a", { href: `#/sales/${encodeURIComponent(one.sale_id)}` }, text) : el("span", {}, text);
}

function ledger(sku, found) {
  const { scale } = found.product;
  const chart = el("div");
  const rows = table([
    { title: t("ledger.what"), name: "main", cell: (one) => el("span", {}, paper(one), one.reason && one.document !== "order" ? el("span", { class: "quiet" }, ` ${one.reason}`) : "") },
    { title: t("ledger.when"), name: "bare", cell: (one) => (one.at_ms ? moment(one.at_ms) : "") },
    { title: t("ledger.way"), name: "bare", cell: (one) => t("ledger.fromto", { from: word("stock.level", one.source), to: word("stock.level", one.target) }) },
    { title: t("ledger.device"), name: "bare", cell: (one) => (one.device_id ? isolated(one.device_id) : "") },
    { title: t("ledger.qty"), name: "key", cell: (one) => signed(one.sellable_change, scale) },
    { title: t("ledger.after"), name: "num", cell: (one) => quantity(one.sellable_after, scale) },
  ], t("ledger.title"));
  const list = pagedList({
    load: async (cursor) => {
      const more = await api.read("/api/1/products/ledger", { sku, cursor, limit: 50 });
      return [more.entries, more.next_cursor];
    },
    draw: (entries) => {
      show(rows.node, entries.length > 0);
      rows.draw(entries, (one) => String(one.seq));
      const points = entries.filter((one) => one.at_ms).reverse()
        .map((one) => ({ at: one.at_ms, value: Math.max(0, one.sellable_after) }));
      redraw(chart, points, () => (points.length > 2 ? line({
        title: t("ledger.chart"),
        points,
        text: (value) => quantity(value, scale),
        when: moment,
        says: t("ledger.chart.says", {
          first: quantity(points[0].value, scale), last: quantity(points.at(-1).value, scale),
        }),
      }) : null));
    },
    none: () => empty(t("ledger.none")),
  });
  list.restart();
  return {
    node: el("section", { class: "card span-all", "aria-labelledby": "ledger-title" },
      el("h2", { id: "ledger-title" }, t("ledger.title")), chart, list.top, rows.node, list.nothing, list.rest),
    stop: list.stop,
  };
}

export function openProduct(root, sku) {
  const name = el("h1", { tabindex: "-1" }, sku);
  const body = el("div");
  let movements = null;
  root.append(backLink("#/stock", t("nav.stock")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, () => api.read("/api/1/products/one", { sku }), (found) => {
    name.textContent = found.product.name || sku;
    movements = ledger(sku, found);
    return el("div", { class: "board" }, levels(found), about(found),
      found.claims.length ? claims(found) : "", found.drift ? drift(found) : "", movements.node);
  });
  return {
    close() {
      reading.stop();
      movements?.stop();
    },
  };
}
