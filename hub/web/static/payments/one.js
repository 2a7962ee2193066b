// One payment: how it stands, what to do about it, and every step it took.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { every, readInto } from "../kit/list.js";
import { backLink, factList, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { exact, isolated, lasting, moment, money, sentence } from "../kit/words.js";
import { actions } from "./acting.js";
import { levelOf, trouble } from "./people.js";
import { amountOf, cardOf, declineOf, owedOf, reasonOf, stateOf, terminalOf, tillOf, toneOf, whoOf } from "./words.js";

const LIVE_MS = 2000;
const FINAL = ["refused", "abandoned", "voided", "settled", "reversed", "refunded", "recovered", "written_off"];

function wrong(payment, done) {
  if (!payment.trouble) return "";
  const level = levelOf(payment.trouble.kind);
  return el("section", { class: "problem payment-trouble", "data-level": level, "aria-label": t("payments.people") },
    ...trouble(payment.trouble), actions(payment, done));
}

const approvedOf = (payment) => (payment.approved_offline ? t("payment.offline", { n: payment.offline_seq })
  : payment.approval_code ? t(payment.kind === "card" ? "payment.online" : "payment.by_issuer") : "");

const custodyOf = (payment) => (payment.approved_offline ? word("payment.custody", payment.custody) : "");

function about({ payment, contact }, done) {
  return el("section", { class: "card" }, el("h2", {}, t("payment.about"), pill(stateOf(payment), toneOf(payment)).node),
    el("p", { class: "big-figure" }, amountOf(payment)),
    factList([
      [t("payment.tip"), payment.tip_minor ? money(payment.tip_minor, payment.currency) : ""],
      [t("payment.surcharge"), payment.surcharge_minor ? money(payment.surcharge_minor, payment.currency) : ""],
      [t("payment.refunded"), payment.refunded_minor ? money(payment.refunded_minor, payment.currency) : ""],
      [t("payment.owed"), typeof payment.owed_minor === "number" ? owedOf(payment) : ""],
      [t("payment.card"), cardOf(payment)],
      [t("payment.left"), typeof payment.balance_minor === "number" ? money(payment.balance_minor, payment.currency) : ""],
      [t("payment.how"), payment.allotted ? t("payment.allotted") : approvedOf(payment)],
      [t("payment.kept"), custodyOf(payment)],
      [t("payment.declined"), declineOf(payment)],
      [t("payment.next"), payment.waits_for ? word("payment.waits", payment.waits_for) : ""],
      [t("payment.ends"), payment.expires_in_ms !== undefined ? lasting(payment.expires_in_ms) : ""],
      [t("payment.refused"), (payment.offline_refused || []).map((one) => word("bar", one)).join(" ")],
      [t("payment.why"), reasonOf(payment)],
      [t("payment.contact"), contact ? isolated(contact) : payment.contact_kept ? t("payment.contact.kept") : ""],
      [t("job.till"), tillOf(payment)],
      [t("payment.terminal"), terminalOf(payment)],
      [t("payment.begun"), moment(payment.begun_at_ms)],
      [t("payment.approval"), payment.approval_code && isolated(payment.approval_code)],
      [t("payment.ref"), payment.psp_ref && isolated(payment.psp_ref)],
      [t("job.id"), isolated(payment.payment_id)],
    ]),
    payment.trouble ? "" : actions(payment, done),
    payment.sale_known ? el("p", { class: "card-link" }, el("a", { href: `#/sales/${encodeURIComponent(payment.sale_id)}` },
      t("payment.to-sale", { no: isolated(payment.receipt_no) })))
      : el("p", { class: "quiet payment-nosale" }, t("payment.nosale")));
}

const STEP_TONE = {
  approved: "good", captured: "good", settled: "good", paid_otherwise: "good", late_approval: "warn", approved_offline: "notice",
  in_doubt: "warn", declined: "warn", retry: "warn", refused: "idle", out_of_reach: "bad", device_lost: "bad", deadline: "bad", write_off: "bad",
};

// What a step says beyond its name: the processor's reason in words, or the hub's own.
const detailOf = (step) => (step.event === "declined" || word("decline", step.detail) !== step.detail
  ? word("decline", step.detail) : step.event === "begun"
    ? step.detail.split(" ").filter(Boolean).map((one) => word("bar", one)).join(" ") : sentence(step.detail));

// A gift card is asked of whoever keeps its value: some steps have another name there.
function eventOf(payment, { event }) {
  const said = payment.kind === "card" ? event : word("payment.event.value", event);
  return said === event ? word("payment.event", event) : said;
}

function steps(payment) {
  const all = payment.steps || [];
  const days = new Set([payment.begun_at_ms, ...all.map((one) => one.at_ms)].map((ms) => new Date(ms).toDateString()));
  const at = (ms) => (days.size > 1 ? moment(ms, 0) : exact(ms));
  return el("section", { class: "card", "aria-labelledby": "steps-title" }, el("h2", { id: "steps-title" }, t("payment.steps")),
    el("ol", { class: "steps" }, all.map((step) => el("li", { "data-tone": STEP_TONE[step.event] || "idle" },
      el("span", { class: "step-dot", "aria-hidden": "true" }),
      el("div", { class: "step-words" },
        el("p", { class: "step-name" }, eventOf(payment, step)),
        el("p", { class: "quiet" }, el("time", { datetime: new Date(step.at_ms).toISOString() }, at(step.at_ms)), ` · ${whoOf(payment, step.by)}`),
        step.detail ? el("p", { class: "step-detail" }, detailOf(step)) : "")))));
}

const words = (found) => (found.words.length ? el("section", { class: "card" }, el("h2", {}, t("payment.words")),
  el("p", { class: "quiet" }, t("payment.words.text")),
  el("ul", { class: "mini-list" }, found.words.map((one) => el("li", {},
    el("span", {}, el("strong", {}, word("payment.said", one.outcome)), el("br"), el("span", { class: "quiet" }, `${moment(one.at_ms)} · ${one.evidence}`)),
    one.yours ? pill(t("payment.yours"), "notice").node : "")))) : "");

const REFUND_TONE = { done: "good", refused: "bad", unknown: "warn", wanted: "idle", sending: "notice" };

const refunds = ({ payment, refunds: back }) => (back.length ? el("section", { class: "card" }, el("h2", {}, t("payment.back")),
  el("ul", { class: "mini-list" }, back.map((one) => el("li", {},
    el("span", {}, money(one.amount_minor, payment.currency), el("br"),
      el("span", { class: "quiet" }, [moment(one.at_ms), sentence(one.reason || "")].filter(Boolean).join(" · "))),
    pill(one.giver === "till" && one.state === "wanted" ? t("refund.by_till") : word("refund.state", one.state), REFUND_TONE[one.state] || "idle").node)))) : "");

const LINK_TONE = { sent: "notice", paid: "good", refused: "bad", surplus: "bad", unknown: "warn", wanted: "idle", sending: "notice", "calling-back": "notice" };

const links = ({ payment, links: asked }) => (asked.length ? el("section", { class: "card" }, el("h2", {}, t("payment.links")),
  el("ul", { class: "mini-list" }, asked.map((one) => el("li", {},
    el("span", {}, money(one.amount_minor, payment.currency), el("br"),
      el("span", { class: "quiet" }, [moment(one.at_ms), one.expires_at_ms && one.state === "sent" ? t("link.until", { at: moment(one.expires_at_ms) }) : "",
        one.psp_ref && isolated(one.psp_ref), sentence(one.reason || "")].filter(Boolean).join(" · "))),
    pill(word("link.state", one.state), LINK_TONE[one.state] || "idle").node)))) : "");

export function openPayment(root, paymentId) {
  const name = el("h1", { tabindex: "-1" }, t("payment.title"));
  const body = el("div");
  const path = `/api/1/payments/${encodeURIComponent(paymentId)}`;
  let wanted = true;
  root.append(backLink("#/payments", t("nav.payments")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, (ask) => ask(path), (found) => {
    const { payment } = found;
    name.replaceChildren(t("payment.named", { amount: amountOf(payment) }));
    wanted = !FINAL.includes(payment.state) || found.links.some((one) => ["surplus", "calling-back"].includes(one.state));
    return [
      wrong(payment, reading.again),
      el("div", { class: "board two payment-board" }, el("div", { class: "stack" }, about(found, reading.again), words(found), refunds(found), links(found)), steps(payment)),
    ];
  });
  let seen = "";
  const stop = every(LIVE_MS, async () => {
    if (!wanted) return;
    try {
      const { payment, words: said, links: asked } = await api.watch(path);
      const now = JSON.stringify([payment.state, payment.void_asked, payment.in_sale, payment.steps?.length, said.length, payment.contact_kept, asked.map((one) => one.state)]);
      if (seen && seen !== now) reading.refresh();
      seen = now;
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
