// All outages, newest first, and the drill.

import { el, redraw, show } from "../kit/dom.js";
import { pagedList } from "../kit/list.js";
import { empty, heading, pill, table } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { count } from "../kit/words.js";
import { followActions } from "../overview/actions.js";
import { hubNowMs, state } from "../state.js";
import { drillOffer } from "./drill.js";
import { during, lasted, needs, outageLink, where } from "./words.js";

const columns = () => [
  {
    title: t("outage.when"),
    name: "main",
    cell: (one) => el("a", { href: outageLink(one) }, during(one, hubNowMs())),
  },
  { title: t("history.lasted"), cell: (one) => lasted(one, hubNowMs()) },
  { title: t("outage.place"), name: "bare", cell: where },
  { title: t("outage.sales"), name: "num", cell: (one) => count(one.sales) },
  { title: t("outage.todo"), name: "key", cell: (one) => pill(...needs(one)).node },
];

export function openList(root) {
  const rows = table(columns(), t("nav.outages"));
  const shelf = el("section", { class: "card", hidden: true, "aria-label": t("nav.outages") }, rows.node);
  const list = pagedList({
    load: async (cursor, ask) => {
      const found = await ask("/api/1/outages", { cursor, limit: 30 });
      return [found.outages, found.next_cursor];
    },
    draw: (items) => {
      show(shelf, items.length > 0);
      rows.draw(items, (one) => one.outage_id);
    },
    none: () => empty(t("outage.none"), t("outage.none.hint")),
  });
  const drill = drillOffer();
  const offer = el("section", { class: "card page-part", "aria-labelledby": "drill-title" },
    el("h2", { id: "drill-title" }, t("drill.title")), el("p", {}, t("drill.lead")), drill.node);
  root.append(heading(t("nav.outages")), el("p", { class: "page-lead" }, t("outage.lead")), offer,
    list.top, shelf, list.nothing, list.rest);
  list.restart();
  const news = el("i");
  return {
    draw() {
      const { picture } = state;
      followActions(picture);
      drill.draw(picture);
      redraw(news, [picture.cloud.state, picture.drill?.drill_id], () => {
        if (shelf.isConnected && news.dataset.seen) list.refresh();
        news.dataset.seen = "1";
        return null;
      });
    },
    close: list.stop,
  };
}
