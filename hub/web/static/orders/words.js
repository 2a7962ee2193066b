// How an order reads, and how it is.

import { el } from "../kit/dom.js";
import { pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated, moment } from "../kit/words.js";

const TONE = { ready: "good", arrived: "good", handed_over: "good", shipped: "good", accepted: "notice", expired: "warn" };

export const addressOf = (order) => `#/orders/${encodeURIComponent(order.order_id)}`;

export const orderLink = (order) => el("a", { href: addressOf(order) }, isolated(order.number));

export const kindOf = (order) => word("order.kind", order.kind);

// What is wrong with it, then how it stands.
export const pills = (order) => [
  order.short_lines ? pill(t("order.short"), "warn").node : "",
  order.late ? pill(t("order.late"), "warn").node : "",
  pill(word("order.state", order.state), TONE[order.state] || "idle").node,
].filter(Boolean);

export const dueOf = (order) => (order.promised_at_ms ? t("order.by", { time: moment(order.promised_at_ms) }) : t("order.nopromise"));

export const promiseOf = (order) => (order.promised_at_ms ? moment(order.promised_at_ms) : t("order.nopromise"));
