// All orders: those that are open by their promise, then those that ended.

import * as api from "../api.js";
import { el, show } from "../kit/dom.js";
import { choice, every, pagedList, searchBox } from "../kit/list.js";
import { empty, facts, heading, table } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { count, moment } from "../kit/words.js";
import { dueOf, kindOf, orderLink, pills } from "./words.js";

const LIVE_MS = 5000;
const PAGE = 30;
const PATH = "/api/1/orders";

const columns = () => [
  {
    title: t("order.number"),
    name: "main",
    cell: (one) => el("span", {}, orderLink(one), el("span", { class: "quiet job-why" },
      [kindOf(one), one.part, t("basket.lines", { n: one.lines })].filter(Boolean).join(" · "))),
  },
  { title: t("order.state"), name: "key order-state", cell: (one) => el("span", { class: "pills" }, pills(one)) },
  { title: t("order.promised"), name: "loose", cell: (one) => (one.open ? dueOf(one) : "") },
  { title: t("order.ended"), name: "loose", cell: (one) => (one.ended_at_ms ? moment(one.ended_at_ms) : "") },
];

const keyOf = (one) => [one.order_id, one.state, one.short_lines, one.late, one.changed_at_ms].join(" ");

export function openList(root) {
  let which = "all";
  let wanted = "";
  let seen = "";
  const sums = el("dl", { class: "facts wide counts" });
  const counts = el("section", { class: "card page-part", "aria-label": t("orders.counts"), hidden: true }, sums);
  const rows = table(columns(), t("nav.orders"));
  const shelf = el("section", { class: "card", "aria-label": t("nav.orders"), hidden: true }, rows.node);
  const query = (cursor) => ({ which, q: wanted, cursor, limit: PAGE });
  const stamp = (found) => JSON.stringify([which, wanted, found.orders.map(keyOf)]);

  function figures({ counts: now }) {
    show(counts, true);
    facts(sums, [
      [t("orders.open"), count(now.open)],
      [t("orders.short"), count(now.short)],
      [t("orders.late"), count(now.late)],
      [t("orders.next"), now.next_promise_at_ms ? moment(now.next_promise_at_ms) : ""],
    ]);
  }

  const list = pagedList({
    load: async (cursor, ask) => {
      const found = await ask(PATH, query(cursor));
      if (!cursor) seen = stamp(found);
      figures(found);
      return [found.orders, found.next_cursor];
    },
    draw: (items) => {
      show(shelf, items.length > 0);
      rows.draw(items, keyOf);
    },
    none: () => (wanted ? empty(t("search.nothing"), t("orders.search.hint"))
      : which === "all" ? empty(t("orders.none"), t("orders.none.hint")) : el("p", { class: "quiet" }, t("jobs.none.such"))),
  });
  const search = searchBox(t("orders.search"), t("orders.search"), (text) => {
    wanted = text;
    list.restart();
  });
  search.input.maxLength = 64;
  const kinds = choice(t("orders.which"), ["all", "open", "short"].map((one) => [one, t(`orders.which.${one}`)]), (chosen) => {
    which = chosen;
    list.restart();
  });
  kinds.id = "orders-which";
  root.append(heading(t("nav.orders")), counts, el("div", { class: "tools" }, search.node, kinds),
    list.top, shelf, list.nothing, list.rest);
  list.restart();

  const stop = every(LIVE_MS, async () => {
    if (!seen) return;
    try {
      const found = await api.watch(PATH, query());
      figures(found);
      if (seen !== stamp(found)) list.refresh();
    } catch {
      // The next look tells.
    }
  });
  return {
    close() {
      stop();
      list.stop();
    },
  };
}
