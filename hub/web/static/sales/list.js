// The days as bars, the sales of the chosen one, and the baskets that are open just now.

import * as api from "../api.js";
import { bars } from "../kit/charts.js";
import { el, redraw, show } from "../kit/dom.js";
import { choice, every, pagedList, searchBox } from "../kit/list.js";
import { empty, factList, heading, pill, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, businessDay, clock, count, isolated, moment, money } from "../kit/words.js";
import { hubNowMs, state } from "../state.js";

const DAYS_SHOWN = 14;
const DAYS_READ = 60;
const LIVE_MS = 10000;
const RECEIPT = /^[0-9a-f-]*$/;

export const saleLink = (sale) =>
  el("a", { href: `#/sales/${encodeURIComponent(sale.sale_id)}` }, isolated(sale.receipt_no));

const columns = () => [
  {
    title: t("sales.receipt"),
    name: "main",
    cell: (one) => el("span", {}, saleLink(one),
      one.state === "voided" ? [" ", pill(t("sales.state.voided"), "warn").node] : "",
      one.has_returns ? [" ", pill(t("sales.hasreturns"), "notice").node] : ""),
  },
  { title: t("sales.when"), name: "bare", cell: (one) => moment(one.at_ms) },
  { title: t("sales.device"), name: "bare", cell: (one) => isolated(one.device_id) },
  { title: t("sales.lines"), name: "num bare", cell: (one) => t("basket.lines", { n: one.lines }) },
  { title: t("sales.paid"), name: "bare", cell: (one) => one.tenders.map((kind) => word("tender", kind)).join(", ") },
  { title: t("sales.total"), name: "key", cell: (one) => money(one.total_minor, one.currency) },
];

function chart(days) {
  const shown = days.slice(0, DAYS_SHOWN).reverse();
  const best = shown.reduce((most, one) => (one.total_minor > most.total_minor ? one : most), shown[0]);
  return bars({
    title: t("sales.chart"),
    every: Math.ceil(shown.length / 5),
    bars: shown.map((one) => ({
      label: businessDay(one.business_day, { day: "numeric", month: "short" }),
      value: Math.max(0, one.total_minor),
      text: money(one.total_minor, one.currency),
    })),
    says: t("sales.chart.says", {
      n: shown.length, day: businessDay(best.business_day), total: money(best.total_minor, best.currency),
    }),
  });
}

const dayFacts = (day) => factList([
  [t("sales.total"), money(day.total_minor, day.currency)],
  [t("sales.count"), count(day.count)],
  [t("sales.returned"), money(day.returned_minor, day.currency)],
  [t("sales.voided"), day.voided ? `${count(day.voided)} · ${money(day.voided_minor, day.currency)}` : count(0)],
  [t("sales.last"), day.last_at_ms ? clock(day.last_at_ms) : ""],
], "facts wide");

function baskets() {
  const list = el("ul", { class: "mini-list" });
  const node = el("section", { class: "card page-part", "aria-labelledby": "baskets-title", hidden: true },
    el("h2", { id: "baskets-title" }, t("baskets.title")), list);
  async function look() {
    try {
      const found = await api.watch("/api/1/baskets", { limit: 50 });
      show(node, found.baskets.length > 0);
      redraw(list, found.baskets, () => found.baskets.map((one) => el("li", {},
        el("span", {}, el("a", { href: `#/sales/basket/${encodeURIComponent(one.basket_id)}` },
          t("basket.of", { device: isolated(one.owner) })), " ",
        el("span", { class: "quiet" }, `${t("basket.lines", { n: one.lines })} · ${ago(hubNowMs() - one.changed_at_ms)}`)),
        pill(word("basket.state", one.state), one.state === "open" ? "good" : "notice").node)));
    } catch {
      // The next look tells.
    }
  }
  return { node, stop: every(LIVE_MS, look) };
}

export function openList(root) {
  let day = "";
  let wanted = "";
  const graph = el("section", { class: "card page-part", hidden: true, "aria-label": t("sales.chart") });
  const sums = el("div", { class: "sums" });
  const days = choice(t("sales.day"), [["", t("sales.alldays")]], (chosen) => {
    day = chosen;
    list.restart();
  });
  const rows = table(columns(), t("nav.sales"));
  const shelf = el("section", { class: "card", hidden: true, "aria-label": t("nav.sales") }, sums, rows.node);
  const list = pagedList({
    load: async (cursor) => {
      const found = await api.read("/api/1/sales", { day: wanted ? "" : day, q: wanted, cursor, limit: 50 });
      if (!cursor) sums.replaceChildren(...(found.day && !wanted ? [dayFacts(found.day)] : []));
      return [found.sales, found.next_cursor];
    },
    draw: (items) => {
      show(shelf, items.length > 0);
      rows.draw(items, (one) => one.sale_id);
    },
    none: () => (wanted ? empty(t("search.nothing"), t("sales.search.hint")) : empty(t("sales.nosales"))),
  });
  const search = searchBox(t("sales.search"), t("sales.search"), (text) => {
    const typed = text.toLowerCase();
    if (!RECEIPT.test(typed)) {
      list.nothing.replaceChildren(empty(t("search.nothing"), t("sales.search.hint")));
      show(shelf, false);
      return;
    }
    wanted = typed;
    list.restart();
  });
  search.input.maxLength = 36;
  const live = baskets();
  root.append(heading(t("nav.sales")), graph, live.node,
    el("div", { class: "tools" }, search.node, days), list.top, shelf, list.nothing, list.rest);

  api.read("/api/1/days", { limit: DAYS_READ }).then((found) => {
    if (!found.days.length) return;
    days.append(...found.days.map((one) =>
      el("option", { value: one.business_day }, businessDay(one.business_day))));
    const today = state.picture.sales.business_day;
    if (found.days.some((one) => one.business_day === today)) {
      day = today;
      days.value = today;
    }
    show(graph, found.days.length > 1);
    if (found.days.length > 1) graph.replaceChildren(chart(found.days));
  }, () => {}).finally(() => list.restart());

  return {
    close() {
      list.stop();
      live.stop();
    },
  };
}
