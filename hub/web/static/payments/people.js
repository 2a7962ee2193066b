// Payments that need somebody: what is wrong, what it means, what to do; first on the page.

import { el, keyed, mark, put, redraw, show, unbroken } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { t } from "../kit/t.js";
import { ago, isolated, moment } from "../kit/words.js";
import { hubNowMs } from "../state.js";
import { may, mayNot } from "../me.js";
import { actions } from "./acting.js";
import { amountOf, cardOf, paymentLink, tillOf } from "./words.js";

const GRAVE = ["manual", "lost", "twice", "paid-twice", "given-twice"];
export const levelOf = (kind) => (GRAVE.includes(kind) ? "critical" : "warning");

const where = (payment) => [cardOf(payment), tillOf(payment), moment(payment.begun_at_ms),
  payment.receipt_no && t("payment.receipt", { no: isolated(payment.receipt_no) })].filter(Boolean).join(" · ");

// What is wrong, what it means, and the next step, as every trouble on these pages is told.
export const trouble = (found) => [
  el("p", { class: "problem-summary" }, found.wrong),
  el("p", { class: "problem-means" }, found.means),
  el("p", { class: "problem-step" }, icon("step"), el("span", {}, el("strong", {}, t("problem.step")), " ", found.next_step)),
];

function asked(first, done) {
  const age = el("span", { class: "problem-age" });
  const sub = el("p", { class: "quiet" });
  const words = el("div", { class: "trouble-words" });
  const act = el("div");
  const node = el("li", { class: "problem", "data-payment": first.payment_id, "data-level": levelOf(first.trouble.kind) },
    el("div", { class: "problem-head" }, el("span", { class: "level-mark" }, icon(levelOf(first.trouble.kind))),
      el("h3", { class: "payment-amount" }, paymentLink(first)), age), sub, words, act,
    el("div", { class: "problem-foot" }, el("span"), el("a", { class: "problem-link", href: `#/payments/${encodeURIComponent(first.payment_id)}`, "aria-label": `${t("payment.steps")}: ${amountOf(first)}` }, t("payment.steps"))));
  return {
    node,
    draw(payment) {
      mark(node, "data-level", levelOf(payment.trouble.kind));
      put(age, ago(hubNowMs() - payment.changed_at_ms));
      redraw(sub, where(payment), () => unbroken(where(payment), isolated(payment.receipt_no)).map((one) =>
        (typeof one === "string" ? document.createTextNode(one) : one)));
      redraw(words, payment.trouble, () => trouble(payment.trouble));
      redraw(act, [payment.acts, payment.state, payment.void_asked, payment.link_why_not], () => (may("payments") ? actions(payment, done) : ""));
    },
  };
}

export function people(done) {
  const list = el("ol", { class: "problems" });
  const node = el("section", { class: "page-part", "aria-labelledby": "people-title", hidden: true },
    el("h2", { class: "part-title", id: "people-title" }, t("payments.people")), may("payments") ? "" : mayNot("payments"), list);
  return {
    node,
    draw(payments) {
      show(node, payments.length > 0);
      keyed(list, payments, (one) => `${one.payment_id} ${one.trouble.kind}`, (one) => asked(one, done));
    },
  };
}
