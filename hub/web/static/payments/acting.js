// What a person decides about a payment: give it up, say how it ended, paid, written off.  Each is
// asked again before it is done, and written down by the hub with who did it.

import * as api from "../api.js";
import { ask, form, say } from "../kit/dialog.js";
import { el } from "../kit/dom.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { money } from "../kit/words.js";
import { ifMay } from "../me.js";
import { amountOf, owedOf } from "./words.js";

// What two people have to say is done once the state is another; until then it is noted.
const told = (before, now, key) => (now.state === before.state && !now.void_asked ? t("payment.second") : t(key));

async function giveUp(payment, done) {
  const yes = await ask({
    title: t("forgo.title", { amount: amountOf(payment) }), text: [t("forgo.text"), t("forgo.text.more")],
    yes: t("forgo.yes"), no: t("forgo.no"), tone: "danger",
  });
  if (!yes) return;
  try {
    await api.change("payment", "give-up", { payment_id: payment.payment_id, reason: t("forgo.reason") });
    say(t("forgo.done"));
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
  done();
}

const OUTCOMES = ["approved", "declined", "never-done"];

const decide = (payment, done) => form({
  title: t("decide.title", { amount: amountOf(payment) }),
  text: t("decide.text"),
  fields: [
    { name: "outcome", label: t("decide.outcome"), options: [["", t("decide.choose")], ...OUTCOMES.map((one) => [one, t(`decide.${one}`)])], required: true },
    { name: "evidence", label: t("decide.evidence"), hint: t("decide.evidence.hint"), required: true, maxlength: 200 },
  ],
  yes: t("decide.yes"),
  act: async ({ outcome, evidence }, close) => {
    const now = await api.change("payment", "decide", { payment_id: payment.payment_id, outcome, evidence });
    close();
    say(told(payment, now, "decide.done"));
    done();
  },
});

const closing = (payment, how, done) => form({
  title: t(`close.${how}.title`, { amount: owedOf(payment) }),
  text: t(`close.${how}.text`),
  fields: [{ name: "reason", label: t(`close.${how}.reason`), hint: t(`close.${how}.hint`), required: true, maxlength: 200 }],
  yes: t(`close.${how}.yes`),
  tone: how === "written-off" ? "danger" : "primary",
  act: async ({ reason }, close) => {
    const now = await api.change("payment", "close-receivable", { payment_id: payment.payment_id, how, reason });
    close();
    say(told(payment, now, `close.${how}.done`));
    done();
  },
});

const contact = (payment, done) => form({
  title: t("contact.title"),
  text: t("contact.text"),
  fields: [
    { name: "email", label: t("contact.email"), type: "email", maxlength: 254 },
    { name: "phone", label: t("contact.phone"), hint: t("contact.phone.hint"), type: "tel", maxlength: 16 },
  ],
  yes: t("contact.yes"),
  act: async (values, close) => {
    const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    const known = Object.keys(given).length > 0;
    await api.change("payment", "contact", { payment_id: payment.payment_id, ...(known ? { contact: given } : {}) });
    close();
    say(t(known ? "contact.done" : "contact.gone"));
    done();
  },
});

async function sendLink(payment, done) {
  const yes = await ask({
    title: t("link.title", { amount: owedOf(payment) }), text: [t("link.text"), t("link.text.more")], yes: t("link.yes"),
  });
  if (!yes) return;
  try {
    await api.change("payment", "send-link", { payment_id: payment.payment_id });
    say(t("link.done"));
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
  done();
}

// What somebody did with money that the hub can't see to: a link's, or a refund's, called by its name.
const settling = (operation, texts, [name, amount], hows) => (payment, done) => form({
  title: t(`${texts}.title`),
  text: t(`${texts}.text`, { amount: money(payment[amount] || 0, payment.currency) }),
  fields: [
    { name: "how", label: t("settle.how"), options: [["", t("decide.choose")], ...hows.map((one) => [one, t(`${texts}.${one}`)])], required: true },
    { name: "reason", label: t(`${texts}.reason`), hint: t(`${texts}.hint`), required: true, maxlength: 200 },
  ],
  yes: t("settle.yes"),
  act: async ({ how, reason }, close) => {
    await api.change("payment", operation, { payment_id: payment.payment_id, how, reason, [name]: payment[name] });
    close();
    say(t("settle.done"));
    done();
  },
});

const ACT = {
  contact,
  "send-link": sendLink,
  "settle-link": settling("settle-link", "settle", ["link_key", "link_minor"], ["given-back", "kept"]),
  "settle-refund": settling("settle-refund", "settle.refund", ["refund_id", "refund_minor"], ["given-back", "otherwise"]),
  "give-up": giveUp,
  decide,
  paid: (payment, done) => closing(payment, "paid", done),
  "write-off": (payment, done) => closing(payment, "written-off", done),
};
const STYLE = { contact: "plain", "send-link": "primary", "settle-link": "primary", "settle-refund": "plain", decide: "primary", paid: "primary", "give-up": "plain", "write-off": "plain" };

// The buttons of what may be done now, by this person; or who may do it.
export function actions(payment, done) {
  const acts = payment.acts || [];
  if (!acts.length) return "";
  return el("div", { class: "payment-acts" }, ifMay("payments", () => el("div", { class: "buttons" }, acts.map((one) =>
    button(t(`act.${one}`), `${STYLE[one]} small`, () => ACT[one](payment, done), {
      "data-act": one, "aria-label": `${t(`act.${one}`)}: ${amountOf(payment)}`,
    })))), payment.link_why_not ? el("p", { class: "quiet link-why-not" }, t("link.whynot", { why: payment.link_why_not })) : "");
}
