// Charts over a stretch of time.  They share one axis, leave a gap where nothing was noted, tell
// what is under the finger, and say the same as a sentence and as a table.

import { el, put, redraw, show, svg } from "./dom.js";
import { t } from "./t.js";
import { clock, moment, ticksOf, weekClock } from "./words.js";

const WIDTH = 600;
const HEIGHT = 100;
const ROWS = 24;
const GAP = 1.6;

const share = ({ from, to }, at) => Math.min(1, Math.max(0, (at - from) / Math.max(1, to - from)));
const x = (frame, at) => share(frame, at) * WIDTH;
const percent = (value) => `${(value * 100).toFixed(2)}%`;

// A chart that stays the same node while its figures change: what was opened stays open.
export function timeChart(title, name = "") {
  const readout = el("span", { class: "tchart-readout", "aria-hidden": "true" });
  const lead = el("p", { class: "tchart-lead" });
  const plot = el("div", { class: "tchart-plot" });
  const cursor = el("span", { class: "tchart-cursor", hidden: true });
  const axis = el("div", { class: "tchart-axis", "aria-hidden": "true" });
  const area = el("div", { class: "tchart-area", role: "img", dir: "ltr" }, plot, cursor, axis);
  const legend = el("ul", { class: "tchart-legend", "aria-hidden": "true" });
  const rows = el("div", { class: "chart-rows", tabindex: "0", role: "group", "aria-label": title });
  const figures = el("details", { class: "chart-table" }, el("summary", {}, t("chart.table"),
    el("span", { class: "visually-hidden" }, `: ${title}`)), rows);
  const head = el("figcaption", { class: "tchart-head" }, el("span", { class: "chart-title" }, title), readout);
  const node = el("figure", { class: `tchart ${name}`.trim() }, head, area, legend, lead, figures);
  let now = null;

  const rest = () => {
    show(cursor, false);
    head.classList.remove("pointing");
    head.style.height = "";
    put(readout, now?.rest || "");
  };
  const point = (event) => {
    if (!now) return;
    const box = plot.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / Math.max(1, box.width)));
    cursor.style.left = percent(part);
    // What is said under the finger may be longer: the chart stays where it is.
    if (cursor.hidden) head.style.height = `${head.offsetHeight}px`;
    head.classList.add("pointing");
    show(cursor, true);
    put(readout, now.read(now.frame.from + part * (now.frame.to - now.frame.from)));
  };
  for (const kind of ["pointermove", "pointerdown"]) area.addEventListener(kind, point);
  for (const kind of ["pointerleave", "pointercancel"]) area.addEventListener(kind, rest);

  return {
    node,
    // drawing: SVG nodes; rest: what stands beside the title; read(at): what it was then.
    draw({ frame, drawing, rest: standing, read, says, lead: sentence = "", keys = [], heads, figures: found }) {
      now = { frame, rest: standing, read };
      area.setAttribute("aria-label", `${title}. ${says}`);
      const ticks = ticksOf(frame.from, frame.to);
      plot.replaceChildren(svg("svg", {
        class: "tchart-svg", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
      }, ticks.map(({ at }) => svg("line", { class: "tchart-grid", x1: x(frame, at), x2: x(frame, at), y1: 0, y2: HEIGHT })),
      drawing, svg("line", { class: "chart-base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT })));
      axis.replaceChildren(...ticks.map(({ at, label }) => {
        const one = el("span", {}, label);
        one.style.left = percent(share(frame, at));
        return one;
      }));
      redraw(legend, keys, () => keys.map(([tone, text]) =>
        el("li", {}, el("span", { class: "tchart-key", "data-tone": tone }), text)));
      show(legend, keys.length > 0);
      put(lead, sentence);
      show(lead, sentence !== "");
      redraw(rows, [heads, found], () => el("table", { "aria-label": title },
        el("thead", {}, el("tr", {}, heads.map((one) => el("th", { scope: "col" }, one)))),
        el("tbody", {}, found.map(([first, ...others]) => el("tr", {}, el("th", { scope: "row" }, first),
          others.map((one) => el("td", {}, one)))))));
      show(figures, found.length > 0);
      if (cursor.hidden) put(readout, standing);
    },
  };
}

const height = (value, top) => HEIGHT - 1 - (HEIGHT - 5) * value / Math.max(top, 1e-9);

// The stretches of points that belong together: where a step is missing a new one begins.
function stretches(points, stepMs) {
  const found = [];
  points.forEach((one, index) => {
    if (!index || one.at - points[index - 1].at > stepMs * GAP) found.push([]);
    found.at(-1).push(one);
  });
  return found;
}

// series: [{tone, fill?, points: [{at, value}]}]
export const lineShapes = (frame, stepMs, top, series) => series.flatMap(({ tone, fill, points }) =>
  stretches(points, stepMs).flatMap((part) => {
    const way = part.map((one, index) =>
      `${index ? "L" : "M"}${x(frame, one.at).toFixed(1)} ${height(one.value, top).toFixed(1)}`).join("");
    const end = x(frame, part.at(-1).at);
    const line = part.length > 1 ? way : `${way}h1.5`;
    return [
      fill && part.length > 1 && svg("path", {
        class: "tchart-fill", "data-tone": tone, d: `${way}L${end.toFixed(1)} ${HEIGHT}L${x(frame, part[0].at).toFixed(1)} ${HEIGHT}Z`,
      }),
      svg("path", { class: "tchart-line", "data-tone": tone, d: line }),
    ].filter(Boolean);
  }));

// found: [{at, value}], each as wide as a step.
export const barShapes = (frame, stepMs, top, found) => found.filter((one) => one.value > 0).map((one) => {
  const from = x(frame, one.at);
  const wide = Math.max(1, x(frame, one.at + stepMs) - from);
  const y = Math.min(height(one.value, top), HEIGHT - 3);
  return svg("rect", { class: "chart-bar", x: from + wide * 0.1, width: wide * 0.8, y, height: HEIGHT - y });
});

// spans: [{from, to, tone}]; what is well is low, what isn't stands out, also without colours.
export const bandShapes = (frame, spans) => spans.map((one) => {
  const from = x(frame, one.from);
  const low = one.tone === "good";
  return svg("rect", {
    class: "chart-span", "data-tone": one.tone,
    x: from, width: Math.max(2, x(frame, one.to) - from), y: low ? 55 : 0, height: low ? 45 : HEIGHT,
  });
});

// At most two dozen rows, each with what `most` makes of the points in it.
export function inRows(points, most) {
  const each = Math.max(1, Math.ceil(points.length / ROWS));
  const found = [];
  for (let index = 0; index < points.length; index += each) {
    const part = points.slice(index, index + each);
    found.push([moment(part[0].at), ...most(part)]);
  }
  return found.reverse();
}

// The point whose step holds an instant, if there is one.
export const pointAt = (points, stepMs, at) =>
  points.findLast((one) => one.at <= at && at < one.at + stepMs * GAP) || null;

export const spanAt = (spans, at) => spans.find((one) => one.from <= at && at < one.to) || spans.at(-1) || null;

// A time as the readout says it: with its day where the axis has several.
export const when = (frame, at) => (frame.to - frame.from > 2 * 86400000 ? weekClock(at) : clock(at));
