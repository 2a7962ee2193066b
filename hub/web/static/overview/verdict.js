// The verdict: is the shop healthy, in one look.

import { el, mark, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { t } from "../kit/t.js";
import { moment, span } from "../kit/words.js";

// What the hub does just now, in a few words.
function doing(picture) {
  if (!picture.broker.connected) return t("mode.deaf");
  return t(`mode.${picture.mode}`) === `mode.${picture.mode}` ? picture.mode : t(`mode.${picture.mode}`);
}

export function since(sinceMs, nowMs) {
  const time = moment(sinceMs, nowMs);
  return nowMs - sinceMs < 60000 ? t("since.now", { time }) : t("since", { time, span: span(nowMs - sinceMs) });
}

export function verdict() {
  const symbol = el("span", { class: "verdict-mark" });
  const kicker = el("p", { class: "verdict-kicker" });
  const headline = el("h1", { id: "verdict-title", tabindex: "-1" });
  const sub = el("p", { class: "verdict-sub" });
  const node = el("section", { id: "verdict", class: "verdict", "aria-labelledby": "verdict-title" },
    symbol,
    el("div", { class: "verdict-words" },
      el("div", { "aria-live": "polite", "aria-atomic": "true" }, kicker, headline), sub));
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
