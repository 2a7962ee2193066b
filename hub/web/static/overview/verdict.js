// The verdict: is the shop healthy, in one look.

import { el, keyed, mark, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { t } from "../kit/t.js";
import { moment, span } from "../kit/words.js";

export const BAD = ["critical", "warning", "notice"];

// How many things need somebody; where none does, how many are worth knowing.
export function countOf(picture) {
  if (!picture.health) return picture.problems.length;
  const many = (...levels) => picture.health.findings.filter((one) => levels.includes(one.level)).length;
  return many("critical", "warning") || many("notice");
}

// What the hub does just now, in a few words.
function doing(picture) {
  if (!picture.broker.connected) return t("mode.deaf");
  return t(`mode.${picture.mode}`) === `mode.${picture.mode}` ? picture.mode : t(`mode.${picture.mode}`);
}

export function since(sinceMs, nowMs) {
  const time = moment(sinceMs, nowMs);
  return nowMs - sinceMs < 60000 ? t("since.now", { time }) : t("since", { time, span: span(nowMs - sinceMs) });
}

// One word or two for each thing that isn't well: all of them in one look, and a way to each.
function reason(first) {
  const text = el("span");
  const node = el("li", { "data-level": first.level }, el("button", {
    type: "button",
    class: "reason",
    on: {
      click: () => {
        const card = document.querySelector(`.problem[data-key="${CSS.escape(first.key)}"]`);
        card?.scrollIntoView({ block: "center" });
        card?.focus({ preventScroll: true });
      },
    },
  }, text));
  return {
    node,
    draw(finding) {
      mark(node, "data-level", finding.level);
      put(text, finding.title);
    },
  };
}

export function verdict() {
  const symbol = el("span", { class: "verdict-mark" });
  const kicker = el("p", { class: "verdict-kicker" });
  const headline = el("h1", { id: "verdict-title", tabindex: "-1" });
  const sub = el("p", { class: "verdict-sub" });
  const reasons = el("ul", { class: "reasons", "aria-label": t("problems.label") });
  const node = el("section", { id: "verdict", class: "verdict", "aria-labelledby": "verdict-title" },
    symbol,
    el("div", { class: "verdict-words" },
      el("div", { "aria-live": "polite", "aria-atomic": "true" }, kicker, headline), sub),
    reasons);
  return {
    node,
    draw(health, picture, nowMs) {
      mark(node, "data-level", health.verdict);
      redraw(symbol, health.verdict, () => icon(health.verdict));
      put(kicker, t(`verdict.${health.verdict}`));
      put(headline, health.headline);
      put(sub, [doing(picture), health.since_ms ? since(health.since_ms, nowMs) : ""]
        .filter(Boolean).join(" · "));
      show(sub, sub.textContent !== "");
      const named = health.findings.filter((one) => BAD.includes(one.level) && one.title);
      show(reasons, named.length > 1);
      keyed(reasons, named, (one) => one.key, reason);
    },
  };
}

// A hub that doesn't judge itself yet still tells its problems.
export function healthOf(picture) {
  if (picture.health) return picture.health;
  const bad = picture.problems.length;
  return {
    verdict: bad ? "warning" : "ok",
    headline: bad ? t("verdict.things", { n: bad }) : t("verdict.well"),
    reasons: picture.problems,
    findings: picture.problems.map((summary, index) => ({
      key: `problem-${index}`, title: "", level: "warning", summary, means: "", next_step: "", detail: {},
    })),
    way: [],
  };
}
