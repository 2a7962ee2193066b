// On the overview: what the last outage of a day left behind, until somebody puts it away.

import * as api from "../api.js";
import { el, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { every } from "../kit/list.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { state } from "../state.js";
import { during, kept, outageLink } from "./words.js";

const AGAIN_MS = 30000;
const DAY_MS = 86400000;
const PUT_AWAY = "outage-put-away";

// Without a place to remember it is put away until the page is loaded again.
let away = "";
function putAway(outageId) {
  away = outageId;
  try {
    localStorage.setItem(PUT_AWAY, outageId);
  } catch {
    // A browser that keeps nothing.
  }
}

function isPutAway(outageId) {
  try {
    return away === outageId || localStorage.getItem(PUT_AWAY) === outageId;
  } catch {
    return away === outageId;
  }
}

export function lastOutage() {
  const node = el("section", { class: "outage-card", id: "last-outage", hidden: true, "aria-labelledby": "last-outage-title" });
  let report = null;
  let shownFor = null;

  async function look() {
    const nowMs = state.picture?.time_ms || Date.now();
    try {
      const { outages } = await api.watch("/api/1/outages", { limit: 5 });
      const last = outages.find((one) => one.ended_at_ms);
      const fresh = last && nowMs - last.ended_at_ms < DAY_MS && !isPutAway(last.outage_id);
      report = fresh ? await api.watch(`/api/1/outages/${encodeURIComponent(last.outage_id)}`) : null;
      draw();
    } catch {
      // The hub that can't be asked is said elsewhere; what was shown stays.
    }
  }

  function draw() {
    show(node, report !== null);
    if (!report) return;
    const { outage } = report;
    const needs = outage.needs_person;
    redraw(node, report, () => {
      const tone = needs ? "warn" : "good";
      node.dataset.tone = tone;
      const title = el("h2", { id: "last-outage-title" });
      put(title, t(outage.drill ? "outage.card.drill" : "outage.card", { time: during(outage) }));
      return [
        el("span", { class: "outage-mark" }, icon(needs ? "warning" : "ok")),
        el("div", { class: "outage-words" }, title,
          el("p", {}, kept(report), " ", needs ? t("report.needs", { n: needs }) : t("report.fine"))),
        el("div", { class: "outage-buttons" },
          el("a", { class: "button plain small", href: outageLink(outage) }, t("outage.card.see")),
          button(t("outage.card.away"), "plain small", () => {
            putAway(outage.outage_id);
            report = null;
            draw();
          })),
      ];
    });
  }

  const stop = every(AGAIN_MS, look);
  return {
    node,
    stop,
    // Looks again as soon as the link is another.
    draw(picture) {
      const now = `${picture.cloud.state} ${picture.drill?.drill_id || ""}`;
      if (shownFor !== null && shownFor !== now) look();
      shownFor = now;
    },
  };
}
