// Small charts as SVG, each with its text: a sentence for a screen reader, and the figures as a
// table for whoever wants to read them.  Time runs from left to right in every language.

import { el, svg } from "./dom.js";
import { t } from "./t.js";

const WIDTH = 300;
const HEIGHT = 100;

const figure = (name, title, says, drawing, axis, rows) => el("figure", { class: `chart ${name}` },
  el("figcaption", { class: "chart-title" }, title),
  el("div", { class: "chart-area", role: "img", "aria-label": `${title}. ${says}`, dir: "ltr" }, drawing, axis),
  rows.length ? asTable(title, rows) : "");

const asTable = (title, rows) => el("details", { class: "chart-table" },
  el("summary", {}, t("chart.table")),
  el("div", { class: "chart-rows" }, el("table", { "aria-label": title }, el("tbody", {}, rows.map(([name, value]) =>
    el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))))));

const canvas = (className, ...content) => svg("svg", {
  class: className, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
}, ...content);

const axisOf = (labels) => el("div", { class: "chart-axis", "aria-hidden": "true" },
  labels.map((one) => el("span", {}, one)));

const peakOf = (text) => el("span", { class: "chart-peak", "aria-hidden": "true" }, text);

// bars: [{label, value, text}]; labels are thinned out so that they fit.
export function bars({ title, bars: found, says, every = 1 }) {
  const top = Math.max(1, ...found.map((one) => one.value));
  const step = WIDTH / Math.max(1, found.length);
  const drawing = canvas("chart-svg", svg("line", { class: "chart-base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    found.map((one, index) => {
      const height = one.value ? Math.max(2, (HEIGHT - 4) * one.value / top) : 0;
      const bar = svg("rect", {
        class: "chart-bar", x: index * step + step * 0.12, width: step * 0.76, y: HEIGHT - height, height,
      });
      bar.append(svg("title", {}));
      bar.firstChild.textContent = `${one.label}: ${one.text}`;
      return bar;
    }));
  const best = found.reduce((most, one) => (one.value > (most?.value || 0) ? one : most), null);
  return figure("chart-bars", title, says,
    [best && peakOf(best.text), drawing],
    axisOf(found.map((one, index) => (index % every === 0 ? one.label : ""))),
    found.filter((one) => one.value).map((one) => [one.label, one.text]));
}

// points: [{at, value}], at rising; text(value) and when(at) put them into words.
export function line({ title, points, text, when, says }) {
  const from = points[0]?.at ?? 0;
  const to = points.at(-1)?.at ?? 1;
  const top = Math.max(1, ...points.map((one) => one.value));
  const x = (at) => (to > from ? (at - from) / (to - from) * WIDTH : 0);
  const y = (value) => HEIGHT - 2 - (HEIGHT - 6) * value / top;
  const path = points.map((one, index) => `${index ? "L" : "M"}${x(one.at).toFixed(1)} ${y(one.value).toFixed(1)}`).join("");
  const drawing = canvas("chart-svg",
    svg("line", { class: "chart-base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    points.length > 1 ? svg("path", { class: "chart-fill", d: `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` }) : "",
    points.length > 1 ? svg("path", { class: "chart-line", d: path }) : "");
  const shown = thinned(points, 24);
  return figure("chart-line-figure", title, says, [peakOf(text(top)), drawing],
    axisOf(points.length ? [when(from), when(to)] : []),
    shown.map((one) => [when(one.at), text(one.value)]));
}

const thinned = (items, most) => {
  const every = Math.max(1, Math.ceil(items.length / most));
  return items.filter((_, index) => index % every === 0);
};

// spans: [{from, to, state, tone}] one after the other; when(at) and label(state) put them into words.
export function strip({ title, spans, when, label, says }) {
  const from = spans[0]?.from ?? 0;
  const to = spans.at(-1)?.to ?? 1;
  const x = (at) => (at - from) / Math.max(1, to - from) * WIDTH;
  const drawing = canvas("chart-svg chart-low", spans.map((one) => {
    const part = svg("rect", {
      class: "chart-span", "data-tone": one.tone, x: x(one.from), width: Math.max(1.5, x(one.to) - x(one.from)), y: 0, height: HEIGHT,
    });
    part.append(svg("title", {}));
    part.firstChild.textContent = `${label(one.state)}: ${when(one.from)} – ${when(one.to)}`;
    return part;
  }));
  return figure("chart-strip", title, says, drawing, axisOf(spans.length ? [when(from), when(to)] : []),
    spans.slice(-24).map((one) => [`${when(one.from)} – ${when(one.to)}`, label(one.state)]));
}

// A share of a hundred as a ring with the figure inside.
export function ring(value, label) {
  const around = 2 * Math.PI * 42;
  const tone = value >= 90 ? "good" : value >= 70 ? "warn" : "bad";
  const text = svg("text", { x: 50, y: 51, class: "ring-text" });
  text.textContent = String(value);
  return svg("svg", { class: "ring", viewBox: "0 0 100 100", role: "img", "aria-label": label, "data-tone": tone },
    svg("circle", { class: "ring-track", cx: 50, cy: 50, r: 42 }),
    svg("circle", {
      class: "ring-value", cx: 50, cy: 50, r: 42, transform: "rotate(-90 50 50)",
      "stroke-dasharray": `${(around * value / 100).toFixed(2)} ${around.toFixed(2)}`,
    }),
    text);
}
