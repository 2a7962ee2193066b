// An outage in words: when, how long, where the way ended, what came of it.

import { t } from "../kit/t.js";
import { interval, lasting, moment } from "../kit/words.js";

export const outageLink = (outage) => `#/outages/${encodeURIComponent(outage.outage_id)}`;

export const during = (outage, nowMs) => (outage.ended_at_ms
  ? interval(outage.began_at_ms, outage.ended_at_ms, nowMs)
  : t("since.when", { time: moment(outage.began_at_ms, nowMs) }));

export const lasted = (outage, nowMs) => lasting((outage.ended_at_ms || nowMs) - outage.began_at_ms);

export const where = (outage) => (outage.drill ? t("outage.drill") : t(`outage.place.${outage.place}`));

// The pill: does somebody have to do something?
export function needs(outage) {
  if (!outage.ended_at_ms) return [t("outage.goeson"), "bad"];
  if (outage.needs_person) return [t("outage.needs", { n: outage.needs_person }), "warn"];
  return [t("outage.fine"), "good"];
}

// What became of the sales of an outage, from its report.
export function kept({ sales, waiting }) {
  if (!sales.count) return t("outage.kept.none");
  if (waiting.still_waiting) return t("outage.kept.waiting", { n: sales.count });
  return t(waiting.parked ? "outage.kept.parked" : "outage.kept.told", { n: sales.count });
}
