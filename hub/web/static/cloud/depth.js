// How much waits for the cloud and how the link was, since this page was opened.

import { line, strip } from "../kit/charts.js";
import { el, put, redraw, show } from "../kit/dom.js";
import { t, word } from "../kit/t.js";
import { count, exact, span } from "../kit/words.js";

const KEPT = 240;
const STEP_MS = 2000;
const TONE = { up: "good", connecting: "warn", down: "bad", refused: "bad", superseded: "bad", unconfigured: "idle" };
const points = [];
const links = [];

// One point every two seconds at most, and where nothing changes only the last one moves on.
export function remember(picture) {
  rememberLink(picture);
  const value = picture.outbox.depth;
  const last = points.at(-1);
  if (last && picture.time_ms - last.at < STEP_MS) return;
  const [before] = points.slice(-2);
  if (points.length > 1 && last.value === value && before.value === value) last.at = picture.time_ms;
  else points.push({ at: picture.time_ms, value });
  if (points.length > KEPT) points.shift();
}

function rememberLink(picture) {
  const { state } = picture.cloud;
  const last = links.at(-1);
  if (last) last.to = picture.time_ms;
  if (last?.state === state) return;
  links.push({ from: picture.time_ms, to: picture.time_ms, state, tone: TONE[state] || "warn" });
  if (links.length > KEPT) links.shift();
}

export function linkChart() {
  const node = el("div", { class: "chart-place" });
  return {
    node,
    draw() {
      show(node, links.length > 1);
      redraw(node, links, () => (links.length > 1 ? strip({
        title: t("cloud.chart"),
        spans: links,
        when: exact,
        label: (state) => word("cloud.state", state),
        says: t("cloud.chart.says", { n: links.length - 1, state: word("cloud.state", links.at(-1).state) }),
      }) : null));
    },
  };
}

export function depthChart() {
  const figure = el("p", { class: "big-figure" });
  const lead = el("p", { class: "quiet" });
  const chart = el("div", { class: "chart-place" });
  const node = el("section", { class: "card", "aria-labelledby": "depth-title" },
    el("h2", { id: "depth-title" }, t("outbox.title")), figure, lead, chart);
  return {
    node,
    draw(picture) {
      const { outbox } = picture;
      put(figure, count(outbox.depth));
      put(lead, outbox.depth && outbox.oldest_at_ms
        ? t("outbox.waits", { n: outbox.depth, span: span(picture.time_ms - outbox.oldest_at_ms) }) : t("outbox.sent"));
      const high = Math.max(0, ...points.map((one) => one.value));
      show(chart, points.length > 2 && high > 0);
      redraw(chart, points, () => (points.length > 2 ? line({
        title: t("outbox.chart"),
        points,
        text: count,
        when: exact,
        says: t("outbox.chart.says", { now: outbox.depth, high }),
      }) : null));
    },
  };
}

