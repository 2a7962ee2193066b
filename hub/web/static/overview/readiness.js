// The readiness score, what keeps it down, and every check there is.

import { el, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { ring } from "../kit/charts.js";
import { fold } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { drillOffer } from "../outages/drill.js";

const lostRow = (one) => el("li", {}, el("span", {}, one.title),
  el("span", { class: "lost-weight" }, t("readiness.minus", { n: one.weight })));

const checkRow = (one) => el("li", { class: "check", "data-level": one.level },
  el("span", { class: "level-mark" }, icon(one.level)),
  el("div", {},
    el("p", { class: "check-title" }, one.title,
      el("span", { class: "visually-hidden" }, ` (${t(`level.${one.level}`)})`)),
    el("p", { class: "quiet" }, one.summary)));

export function readiness() {
  const score = el("div", { class: "ring-place" });
  const lead = el("p", { class: "lead" });
  const lost = el("ul", { class: "lost-list" });
  const checks = el("ul", { class: "checks" });
  const all = fold(t("readiness.checks"), checks);
  const drill = drillOffer();
  const node = el("section", { class: "card readiness", "aria-labelledby": "readiness-title", hidden: true },
    el("h2", { id: "readiness-title" }, t("readiness.title")),
    el("div", { class: "readiness-body" }, score, el("div", {}, lead, lost)), all, drill.node);
  return {
    node,
    draw(health, picture) {
      const found = health.readiness;
      show(node, Boolean(found));
      if (!found) return;
      drill.draw(picture);
      redraw(score, found.score, () => ring(found.score, t("readiness.score", { n: found.score })));
      redraw(lead, found.lost, () =>
        (found.lost.length ? t("readiness.lost", { n: found.lost.length }) : t("readiness.full")));
      redraw(lost, found.lost, () => found.lost.map(lostRow));
      redraw(checks, health.findings.map((one) => [one.key, one.level, one.summary]),
        () => health.findings.map(checkRow));
    },
  };
}
