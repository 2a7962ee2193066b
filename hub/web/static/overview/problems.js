// One card for each thing that isn't well: what, since when, what it means, what to do.

import { el, keyed, mark, prose, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { button, factList, fold } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { moment, span } from "../kit/words.js";
import { may, mayNot, rightFor } from "../me.js";
import { linkTo } from "../pages/links.js";
import { state } from "../state.js";
import { actionOf, run } from "./actions.js";
import { BAD } from "./verdict.js";

// Where more about a check is seen, and mended.
const PLACES = {
  devices: "devices", "device-certificates": "devices", parked: "cloud", outbox: "cloud", link: "cloud",
  drift: "stock", errors: "logs", orders: "orders", payments: "payments", printing: "printing",
};

// What hangs on a till is seen with the till, what hangs on the box by itself.
const atDevice = (one) => one.auth !== "hub" && one.status === "paired" && one.conditions?.length > 0;
const placeOf = (key) => (key === "peripherals"
  ? (state.picture?.devices.some(atDevice) ? "devices" : "peripherals") : PLACES[key]);
const JUST_MS = 60000;

const ageOf = (ms) => (ms < JUST_MS ? t("time.now") : span(ms));

export const isBad = (finding) => BAD.includes(finding.level);

function mending() {
  const node = el("div", { class: "mend" });
  const outcome = el("p", { class: "mend-outcome", role: "status", hidden: true });
  let shown = null;
  let act = null;

  async function press() {
    const action = actionOf(shown);
    if (!action) return;
    act.disabled = true;
    mark(act, "aria-busy", "true");
    const came = await run(action);
    act.disabled = false;
    act.removeAttribute("aria-busy");
    if (!came) return;
    put(outcome, came.text);
    mark(outcome, "data-tone", came.tone);
    show(outcome, true);
  }

  return {
    node,
    draw(key) {
      const action = key ? actionOf(key) : null;
      show(node, action !== null);
      if (!action) return;
      redraw(node, [action.key, action.title, action.available, action.why_not], () => {
        shown = action.key;
        if (!may(rightFor(action.key))) return mayNot(rightFor(action.key));
        if (!action.available) return el("p", { class: "quiet" }, action.why_not);
        act = button(action.title, "primary", press, { "data-action": action.key });
        return [act, outcome];
      });
    },
  };
}

function problem(first) {
  const title = el("h2", { class: "problem-title" });
  const age = el("span", { class: "problem-age" });
  const summary = el("p", { class: "problem-summary" });
  const means = el("p", { class: "problem-means" });
  const meansText = el("span");
  means.append(el("strong", {}, t("problem.means")), " ", meansText);
  const stepText = el("span");
  const step = el("p", { class: "problem-step" }, icon("step"),
    el("span", {}, el("strong", {}, t("problem.step")), " ", stepText));
  const mend = mending();
  const more = el("div", { class: "problem-more" });
  const where = placeOf(first.key);
  const place = linkTo(where, "");
  const see = place ? el("a", { class: "problem-link", href: place.href },
    t("problem.see", { page: t(`nav.${where}`) })) : "";
  const symbol = el("span", { class: "level-mark" });
  const word = el("span", { class: "visually-hidden" });
  const node = el("li", { class: "problem", "data-key": first.key, tabindex: "-1" },
    el("div", { class: "problem-head" }, symbol, title, age), word, summary, means, step, mend.node,
    el("div", { class: "problem-foot" }, more, see));
  return {
    node,
    draw(finding) {
      mark(node, "data-level", finding.level);
      redraw(symbol, finding.level, () => icon(finding.level));
      put(word, t(`level.${finding.level}`));
      put(title, finding.title || t("problem.title"));
      prose(summary, finding.summary);
      prose(meansText, finding.means);
      show(means, finding.means !== "");
      prose(stepText, finding.next_step);
      show(step, finding.next_step !== "");
      mend.draw(finding.action);
      const detail = Object.entries(finding.detail || {});
      redraw(more, [finding.what, detail], () => (finding.what || detail.length
        ? fold(t("problem.more"),
          finding.what && el("p", { class: "quiet" }, t("problem.looks", { what: finding.what })),
          detail.length ? factList(detail) : "") : null));
    },
    tick(finding, nowMs) {
      put(age, finding.since_ms ? ageOf(nowMs - finding.since_ms) : "");
      if (finding.since_ms) mark(age, "title", t("since.when", { time: moment(finding.since_ms, nowMs) }));
    },
  };
}

export function problems() {
  const list = el("ol", { class: "problems", id: "problems" });
  const node = el("section", { class: "problem-part", "aria-label": t("problems.label") }, list);
  const rows = new Map();
  return {
    node,
    draw(health, nowMs) {
      const bad = health.findings.filter(isBad);
      show(node, bad.length > 0);
      keyed(list, bad, (one) => one.key, (one) => {
        const row = problem(one);
        rows.set(one.key, row);
        return row;
      });
      for (const one of bad) rows.get(one.key)?.tick(one, nowMs);
    },
  };
}
