// One order: how it stands, what is reserved for it and what is missing, and what happened when.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { every, readInto } from "../kit/list.js";
import { backLink, factList, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated, moment, quantity, sentence } from "../kit/words.js";
import { productLink } from "../stock/list.js";
import { kindOf, pills, promiseOf } from "./words.js";

const LIVE_MS = 5000;

// What is wrong, what it means, what to do.
function wrong({ order }) {
  const kinds = [order.short_lines ? "short" : "", order.late ? "late" : ""].filter(Boolean);
  if (!kinds.length) return "";
  return el("section", { class: "problem order-trouble", "data-level": "notice", "aria-label": t("order.wrong") },
    kinds.map((kind) => el("div", { class: "trouble-words" },
      el("p", {}, el("strong", {}, t(`order.${kind}.wrong`, { n: order.short_lines }))),
      el("p", {}, t(`order.${kind}.means`)),
      el("p", {}, el("strong", {}, t("order.todo")), ` ${t(`order.${kind}.next`)}`))));
}

const about = ({ order, taken_at_ms: takenMs }) => el("section", { class: "card" },
  el("h2", {}, t("order.about"), el("span", { class: "pills" }, pills(order))),
  factList([
    [t("order.kind"), kindOf(order)],
    [t("order.promised"), promiseOf(order)],
    [t("order.placed"), moment(order.placed_at_ms)],
    [t("order.taken"), moment(takenMs)],
    [t("order.ended"), order.ended_at_ms ? moment(order.ended_at_ms) : ""],
    [t("order.part"), order.part],
    [t("order.id"), isolated(order.order_id)],
  ]),
  el("p", { class: "quiet order-whose" }, t(order.open ? "order.whose.open" : "order.whose.ended")));

function lines({ order, lines: all }) {
  const say = (name) => (one) => (one[name] ? quantity(one[name], one.scale, one.uom) : "");
  const rows = table([
    { title: t("line.product"), name: "main", cell: (one) => (one.name ? productLink(one.sku, one.name)
      : el("span", {}, isolated(one.sku), el("span", { class: "quiet job-why" }, t("order.unknown")))) },
    { title: t("order.wanted"), name: "key", cell: say("qty") },
    ...(order.open ? [
      { title: t("order.reserved"), name: "num", cell: say("reserved_qty") },
      { title: t("order.missing"), name: "num", cell: (one) => (one.short_qty ? el("span", { class: "missing" }, say("short_qty")(one)) : "") },
    ] : [{ title: t("order.gone"), name: "num", cell: say("gone_qty") }]),
  ], t("sale.lines"));
  rows.draw(all, (one) => `${one.line_no} ${one.reserved_qty} ${one.short_qty} ${one.gone_qty} ${one.qty}`);
  return el("section", { class: "card" }, el("h2", {}, t("sale.lines")),
    all.length ? rows.node : el("p", { class: "quiet" }, t("order.nolines")));
}

const STEP_TONE = { reserved: "good", short: "warn", ready: "good", handed_over: "good", shipped: "good", accepted: "notice", expired: "warn" };

const steps = ({ steps: all }) => el("section", { class: "card", "aria-labelledby": "steps-title" },
  el("h2", { id: "steps-title" }, t("payment.steps")),
  el("ol", { class: "steps" }, all.map((step) => el("li", { "data-tone": STEP_TONE[step.what] || "idle" },
    el("span", { class: "step-dot", "aria-hidden": "true" }),
    el("div", { class: "step-words" },
      el("p", { class: "step-name" }, word("order.step", step.what)),
      el("p", { class: "quiet" }, el("time", { datetime: new Date(step.at_ms).toISOString() }, moment(step.at_ms))),
      step.detail ? el("p", { class: "step-detail" }, step.what === "short" ? step.detail : sentence(step.detail)) : "")))));

export function openOrder(root, orderId) {
  const name = el("h1", { tabindex: "-1" }, t("order.title"));
  const body = el("div");
  const path = `/api/1/orders/${encodeURIComponent(orderId)}`;
  let seen = "";
  let open = true;
  const stamp = ({ order }) => JSON.stringify(order);
  root.append(backLink("#/orders", t("nav.orders")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, (ask) => ask(path), (found) => {
    name.replaceChildren(t("order.named", { no: isolated(found.order.number) }));
    seen = stamp(found);
    open = found.order.open;
    return [
      wrong(found),
      el("div", { class: "board two" }, el("div", { class: "stack" }, about(found), lines(found)), steps(found)),
    ];
  });
  const stop = every(LIVE_MS, async () => {
    if (!seen || !open) return;
    try {
      if (stamp(await api.watch(path)) !== seen) reading.refresh();
    } catch {
      // The next look tells.
    }
  });
  return {
    close() {
      stop();
      reading.stop();
    },
  };
}
