// What the shop risks on cards just now: of its caps, for how long, until when, and why no more.

import { el, keyed, mark, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { factList, fold, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { count, countdown, isolated, lasting, money } from "../kit/words.js";
import { bar } from "./bar.js";

const HOUR_MS = 3600000;
const SOON_MS = 4 * HOUR_MS;
const TONE = { clear: "good", near: "warn", full: "bad" };

const left = (ms) => (ms < HOUR_MS ? countdown(ms) : lasting(ms));

// Until the first payment may not be presented any more, second by second.
function expiry() {
  const figure = el("p", { class: "expiry-figure" });
  const node = el("div", { class: "expiry", hidden: true }, el("span", { class: "expiry-mark" }, icon("clock")),
    el("div", {}, el("p", { class: "quiet" }, t("exposure.expiry")), figure));
  let endsMs = null;
  function tick() {
    show(node, endsMs !== null);
    if (endsMs === null) return;
    const leftMs = Math.max(0, endsMs - performance.now());
    put(figure, leftMs ? left(leftMs) : t("exposure.expired"));
    mark(node, "data-tone", leftMs < SOON_MS ? "bad" : "idle");
  }
  return {
    node,
    tick,
    draw(ms) {
      endsMs = ms === undefined ? null : performance.now() + ms;
      tick();
    },
  };
}

function terminals() {
  const list = el("ul", { class: "meters" });
  const node = el("div", { hidden: true }, el("h3", { class: "facts-title" }, t("exposure.terminals")), list);
  return {
    node,
    draw(now) {
      const held = now.terminals || [];
      show(node, held.length > 0);
      keyed(list, held, (one) => one.terminal_id, (first) => {
        const made = bar(first.name || isolated(first.terminal_id));
        return {
          node: el("li", {}, made.node),
          draw: (one) => {
            const byCount = one.count / Math.max(1, now.terminal_cap_count) > one.minor / Math.max(1, now.terminal_cap_minor);
            made.draw(byCount ? one.count : one.minor, byCount ? now.terminal_cap_count : now.terminal_cap_minor, t("exposure.of.terminal", {
              used: money(one.minor, now.currency), cap: money(now.terminal_cap_minor, now.currency), n: one.count, most: now.terminal_cap_count,
            }));
          },
        };
      });
    },
  };
}

// It warns long before it stops.
const ageTone = (now) => (!now.store_count || now.oldest_age_ms < now.warn_age_ms ? "good"
  : now.oldest_age_ms < now.stop_age_ms ? "warn" : "bad");

const caps = (now) => factList([
  [t("cap.payment"), money(now.payment_cap_minor, now.currency)],
  [t("cap.terminal"), money(now.terminal_cap_minor, now.currency)],
  [t("cap.terminal.count"), count(now.terminal_cap_count)],
  [t("cap.store"), money(now.store_cap_minor, now.currency)],
  [t("cap.warn"), lasting(now.warn_age_ms)],
  [t("cap.stop"), lasting(now.stop_age_ms)],
  [t("cap.deadline"), lasting(now.deadline_ms)],
]);

export function exposure() {
  const state = pill();
  const figure = el("p", { class: "big-figure", id: "at-risk" });
  const lead = el("p", { class: "quiet" });
  const store = bar(t("exposure.store"));
  const age = bar(t("exposure.age"));
  const ends = expiry();
  const held = terminals();
  const bars = el("ul", { class: "stoppers", "aria-label": t("exposure.bars") });
  const limits = el("div");
  const more = fold(t("exposure.caps"), limits);
  const node = el("section", { class: "card exposure", "aria-labelledby": "exposure-title", hidden: true },
    el("h2", { id: "exposure-title" }, t("exposure.title"), state.node), bars,
    el("div", { class: "exposure-top" }, el("div", {}, figure, lead), ends.node),
    el("div", { class: "meters" }, store.node, age.node), held.node, more);
  return {
    node,
    tick: ends.tick,
    draw(now) {
      show(node, true);
      const barred = now.bars || [];
      state.draw(t(barred.length ? "exposure.online" : `exposure.${now.meter}`), barred.length ? "bad" : TONE[now.meter] || "warn");
      put(figure, money(now.store_minor, now.currency));
      put(lead, now.store_count ? t("exposure.count", { n: now.store_count }) : t("exposure.none"));
      store.draw(now.store_minor, now.store_cap_minor, t("exposure.of", {
        used: money(now.store_minor, now.currency), cap: money(now.store_cap_minor, now.currency),
      }));
      age.draw(now.store_count ? now.oldest_age_ms : 0, now.stop_age_ms, now.store_count
        ? t("exposure.of", { used: lasting(now.oldest_age_ms), cap: lasting(now.stop_age_ms) }) : t("exposure.noage"), ageTone(now));
      ends.draw(now.next_expiry_in_ms);
      held.draw(now);
      show(bars, barred.length > 0);
      redraw(bars, barred, () => barred.map((one) => el("li", {}, icon("warning"),
        el("span", {}, el("strong", {}, `${word("bar", one)} `), t("exposure.barred")))));
      redraw(limits, [now.payment_cap_minor, now.store_cap_minor, now.terminal_cap_minor, now.terminal_cap_count, now.deadline_ms], () => caps(now));
    },
  };
}
