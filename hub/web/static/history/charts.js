// Four charts of what was: sales by the hour, what waited, the link, how fast the hub was.

import * as api from "../api.js";
import { el, redraw, show } from "../kit/dom.js";
import { every } from "../kit/list.js";
import { button, freshId, trouble } from "../kit/parts.js";
import { t } from "../kit/t.js";
import {
  barShapes, bandShapes, inRows, lineShapes, pointAt, spanAt, timeChart, when,
} from "../kit/timechart.js";
import { count, decimal, interval, lasting, moment, money, span } from "../kit/words.js";
import { knownSince, linkSpans, reached } from "./figures.js";

const AGAIN_MS = 60000;
const RANGES = [24, 168];
const HOUR_MS = 3600000;
let hours = RANGES[0];

const highest = (found, value) => Math.max(0, ...found.map(value).filter((one) => one !== undefined));
const frameOf = (found) => ({ from: found.from_ms, to: found.to_ms });
const stepOf = (found) => found.step_s * 1000;
const ms = (value) => (value === undefined ? "" : t("traffic.ms", { ms: decimal(value, value < 10 ? 1 : 0) }));

function drawSales(chart, found) {
  const frame = { from: found.hours[0].at_ms, to: found.hours.at(-1).at_ms + HOUR_MS };
  const sum = (one) => money(one.total_minor, found.currency);
  const text = (one) => t("history.sales.hour", { n: one.count, total: sum(one) });
  const bars = found.hours.map((one) => ({ ...one, at: one.at_ms, value: Math.max(0, one.total_minor) }));
  const best = bars.reduce((most, one) => (one.value > (most?.value || 0) ? one : most), null);
  const many = found.hours.reduce((all, one) => all + one.count, 0);
  const total = money(found.hours.reduce((all, one) => all + one.total_minor, 0), found.currency);
  chart.draw({
    frame,
    drawing: barShapes(frame, HOUR_MS, best?.value || 1, bars),
    rest: best ? t("history.best", { value: sum(best) }) : "",
    read: (at) => {
      const one = bars.find((bar) => bar.at <= at && at < bar.at + HOUR_MS);
      return one ? `${interval(one.at, one.at + HOUR_MS)}: ${text(one)}` : when(frame, at);
    },
    says: best ? t("history.sales.says", { n: many, total, best: sum(best), time: moment(best.at) })
      : t("history.sales.none"),
    lead: best ? "" : t("history.sales.none"),
    heads: [t("history.hour"), t("sales.count"), t("sales.total")],
    figures: bars.filter((one) => one.count).reverse().map((one) => [moment(one.at), count(one.count), sum(one)]),
  });
}

function drawDepth(chart, found) {
  const frame = frameOf(found);
  const stepMs = stepOf(found);
  const points = found.points.map((one) => ({ ...one, at: one.at_ms, value: one.depth }));
  const top = highest(points, (one) => one.depth);
  const aside = highest(points, (one) => one.parked);
  const text = (one) => [
    t("history.depth.waiting", { n: one.depth }),
    one.oldest_s ? t("history.depth.oldest", { span: span(one.oldest_s * 1000) }) : "",
  ].filter(Boolean).join(", ");
  chart.draw({
    frame,
    drawing: lineShapes(frame, stepMs, Math.max(top, 4), [
      { tone: "brand", fill: true, points },
      ...(aside ? [{ tone: "warn", points: points.filter((one) => one.parked).map((one) => ({ at: one.at, value: one.parked })) }] : []),
    ]),
    rest: t("history.highest", { value: count(top) }),
    read: (at) => {
      const one = pointAt(points, stepMs, at);
      return `${when(frame, at)}: ${one ? text(one) : t("history.off")}`;
    },
    says: t("history.depth.says", { now: points.at(-1).depth, high: top }),
    keys: aside ? [["brand", t("stream.waiting")], ["warn", t("outbox.parked")]] : [],
    heads: [t("events.when"), t("stream.waiting"), t("outbox.parked"), t("stream.oldest")],
    figures: inRows(points, (part) => {
      const oldest = highest(part, (one) => one.oldest_s);
      return [count(highest(part, (one) => one.depth)), count(highest(part, (one) => one.parked)),
        oldest ? span(oldest * 1000) : ""];
    }),
  });
}

const linkWord = (one) => (one.state === "down" && one.place && one.place !== "unknown"
  ? t("history.down.at", { place: t(`place.${one.place}`) }) : t(`history.${one.state}`));

function drawLink(chart, found) {
  const frame = frameOf(found);
  const spans = linkSpans(found);
  const cuts = spans.filter((one) => one.state === "down");
  const share = t("history.share", { percent: decimal(Math.floor(reached(found.points) * 1000) / 10) });
  const says = cuts.length ? t("history.link.says", {
    n: cuts.length, longest: lasting(Math.max(...cuts.map((one) => one.to - one.from))),
  }) : t("history.link.never");
  const states = [["good", "up"], ["bad", "down"], ["idle", "off"]]
    .filter(([, state]) => spans.some((one) => one.state === state));
  chart.draw({
    frame,
    drawing: bandShapes(frame, spans),
    rest: share,
    read: (at) => {
      const one = at >= spans[0]?.from ? spanAt(spans, at) : null;
      return one ? [linkWord(one), when(frame, one.from), lasting(one.to - one.from)].join(" · ") : `${when(frame, at)}: ${t("history.unknown")}`;
    },
    says: `${share}. ${says}`,
    lead: says,
    keys: states.length > 1 ? states.map(([tone, state]) => [tone, t(`history.${state}`)]) : [],
    heads: [t("history.time"), t("history.lasted"), t("events.state")],
    figures: spans.slice(-24).reverse().map((one) =>
      [interval(one.from, one.to), lasting(one.to - one.from), linkWord(one)]),
  });
}

function drawSpeed(chart, found) {
  const frame = frameOf(found);
  const stepMs = stepOf(found);
  const points = found.points.map((one) => ({ ...one, at: one.at_ms }));
  const line = (key) => points.filter((one) => one[key] !== undefined).map((one) => ({ at: one.at, value: one[key] }));
  const top = highest(points, (one) => one.commit_p99_ms);
  const text = (one) => (one.commit_p50_ms === undefined ? t("history.speed.idle")
    : t("history.speed.both", { typical: ms(one.commit_p50_ms), slow: ms(one.commit_p99_ms) }));
  const busy = points.filter((one) => one.commit_p50_ms !== undefined);
  chart.draw({
    frame,
    drawing: lineShapes(frame, stepMs, Math.max(top, 5), [
      { tone: "soft", points: line("commit_p99_ms") },
      { tone: "brand", points: line("commit_p50_ms") },
    ]),
    rest: top ? t("history.slowest", { value: ms(top) }) : "",
    read: (at) => {
      const one = pointAt(points, stepMs, at);
      return `${when(frame, at)}: ${one ? text(one) : t("history.off")}`;
    },
    says: busy.length ? t("history.speed.says", { typical: ms(busy.at(-1).commit_p50_ms), slow: ms(top) })
      : t("history.speed.idle"),
    lead: busy.length ? "" : t("history.speed.idle"),
    keys: busy.length ? [["brand", t("history.typical")], ["soft", t("history.slow")]] : [],
    heads: [t("events.when"), t("history.requests"), t("history.typical"), t("history.slow")],
    figures: inRows(points, (part) => [
      count(part.reduce((all, one) => all + one.requests, 0)),
      ms(part.findLast((one) => one.commit_p50_ms !== undefined)?.commit_p50_ms),
      ms(highest(part, (one) => one.commit_p99_ms) || undefined),
    ]),
  });
}

const CHARTS = {
  sales: { path: "sales", draw: drawSales, filled: (found) => found.hours.length > 0 },
  depth: { path: "link", draw: drawDepth, filled: (found) => found.points.length > 0 },
  link: { path: "link", draw: drawLink, filled: (found) => found.points.length > 0 },
  speed: { path: "speed", draw: drawSpeed, filled: (found) => found.points.length > 0 },
};

// The charts of a page: `charts.sales` and so on are nodes to be put where they belong; `bar` has
// the switch between a day and a week.
export function history() {
  const label = freshId("range");
  const buttons = RANGES.map((one) => button(t(`history.range.${one}`), "segment", () => choose(one)));
  const note = el("p", { class: "quiet" });
  const wrong = el("div");
  const head = el("div", { class: "history-head" }, el("p", { id: label }, t("history.title")),
    el("div", { class: "segments", role: "group", "aria-labelledby": label }, buttons));
  const bar = el("div", { class: "history-bar", hidden: true }, head, note, wrong);
  const charts = Object.entries(CHARTS).map(([key, one]) => {
    const chart = timeChart(t(`history.chart.${key}`), `tchart-${key}`);
    show(chart.node, false);
    return [key, { ...one, chart }];
  });
  let turn = 0;

  function mark() {
    RANGES.forEach((one, index) => buttons[index].setAttribute("aria-pressed", String(one === hours)));
  }

  function tell(found) {
    const since = found.link.points.length ? knownSince(found.link) : null;
    redraw(note, [found.link.points.length > 0, since], () => {
      if (!found.link.points.length) return document.createTextNode(t("history.none"));
      return since ? document.createTextNode(t("history.since", { time: moment(since) })) : null;
    });
    show(note, note.textContent !== "");
    show(head, found.link.points.length > 0);
  }

  async function look() {
    const mine = (turn += 1);
    try {
      const paths = ["link", "speed", "sales"];
      const read = await Promise.all(paths.map((one) => api.watch(`/api/1/history/${one}`, { hours })));
      if (mine !== turn) return;
      const found = Object.fromEntries(paths.map((one, index) => [one, read[index]]));
      show(bar, true);
      wrong.replaceChildren();
      tell(found);
      const begun = found.link.points.length > 0;
      for (const [key, one] of charts) {
        const here = one.filled(found[one.path]) && (begun || key !== "sales" || found.sales.hours.some((hour) => hour.count));
        show(one.chart.node, here);
        if (here) one.draw(one.chart, found[one.path]);
      }
    } catch (error) {
      if (mine !== turn || error.status === 401) return;
      show(bar, error.status !== 404);
      wrong.replaceChildren(trouble(error, look));
    }
  }

  function choose(chosen) {
    hours = chosen;
    mark();
    look();
  }

  mark();
  const stop = every(AGAIN_MS, look);
  return {
    bar,
    charts: Object.fromEntries(charts.map(([key, one]) => [key, one.chart.node])),
    stop() {
      turn += 1;
      stop();
    },
  };
}

