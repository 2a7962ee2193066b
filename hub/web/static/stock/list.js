// Products found, and what has to be counted.

import * as api from "../api.js";
import { el, show } from "../kit/dom.js";
import { pagedList, searchBox } from "../kit/list.js";
import { empty, fold, heading, pill, table } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { isolated, moment, money, quantity } from "../kit/words.js";

export const productLink = (sku, name) =>
  el("a", { href: `#/stock/${encodeURIComponent(sku)}` }, name || sku);

const amount = (key) => (one) => quantity(one[key], one.scale, one.uom);

const columns = () => [
  {
    title: t("stock.product"),
    name: "main",
    cell: (one) => el("span", {}, productLink(one.sku, one.name), " ",
      el("span", { class: "quiet nowrap" }, isolated(one.sku)),
      one.active ? "" : [" ", pill(t("stock.inactive"), "idle").node]),
  },
  { title: t("stock.price"), name: "num", cell: (one) => (one.price_minor === undefined ? "" : money(one.price_minor, one.currency)) },
  { title: t("stock.sellable"), name: "key", cell: amount("sellable") },
  { title: t("stock.held"), name: "num", cell: (one) => (one.held ? amount("held")(one) : "") },
  { title: t("stock.reserved"), name: "num", cell: (one) => (one.reserved ? amount("reserved")(one) : "") },
  { title: t("stock.available"), name: "num", cell: amount("available") },
];

function toCount(found) {
  const rows = [
    ...found.under_way.map((one) => [one, t("stock.counting", { device: isolated(one.device_id) })]),
    ...found.tasks.map((one) => [one, one.reason]),
  ];
  const many = found.tasks.length + (found.next_cursor ? 1 : 0);
  return el("section", { class: "card" }, el("h2", {}, t("stock.tocount"),
    pill(found.next_cursor ? t("stock.manytasks", { n: found.tasks.length }) : String(many), "warn").node),
  el("p", { class: "quiet" }, t("stock.tocount.lead")),
  fold(t("stock.tocount.show"), el("ul", { class: "mini-list" }, rows.map(([one, why]) => el("li", {},
    el("span", {}, productLink(one.sku, one.name)),
    el("span", { class: "quiet" }, `${why} · ${moment(one.at_ms)}`))))));
}

export function openList(root) {
  let wanted = "";
  const counts = el("div", { class: "page-part" });
  const hint = el("p", { class: "quiet", hidden: true }, t("stock.typemore"));
  const rows = table(columns(), t("nav.stock"));
  const shelf = el("section", { class: "card", "aria-label": t("stock.products") }, rows.node);
  const list = pagedList({
    load: async (cursor) => {
      const found = await api.read("/api/1/products", { q: wanted, cursor, limit: 50 });
      show(hint, found.more);
      return [found.products, found.next_cursor];
    },
    draw: (items) => {
      show(shelf, items.length > 0);
      rows.draw(items, (one) => one.sku);
    },
    none: () => (wanted ? empty(t("search.nothing")) : empty(t("stock.none"), t("stock.none.hint"))),
  });
  const search = searchBox(t("stock.search"), t("stock.search"), (text) => {
    wanted = text;
    list.restart();
  });
  show(shelf, false);
  root.append(heading(t("nav.stock")), counts, el("div", { class: "tools" }, search.node), hint,
    list.top, shelf, list.nothing, list.rest);
  list.restart();
  api.read("/api/1/counts", { limit: 50 }).then((found) => {
    if (found.tasks.length + found.under_way.length) counts.replaceChildren(toCount(found));
  }, () => {});
  return { close: list.stop };
}
