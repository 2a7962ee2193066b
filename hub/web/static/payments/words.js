// How a card payment reads, and how it is.

import { el } from "../kit/dom.js";
import { t, word } from "../kit/t.js";
import { isolated, money, sentence } from "../kit/words.js";

const TONES = {
  good: ["authorised", "captured", "settled", "recovered"],
  notice: ["at_terminal", "stored", "forwarding", "forwarded"],
  warn: ["unknown", "forward_unknown", "retry_wait", "void_pending", "declined", "recovery"],
  bad: ["manual", "lost", "expired", "written_off"],
};
const TONE = Object.fromEntries(Object.entries(TONES).flatMap(([tone, states]) => states.map((one) => [one, tone])));

// Colour only for what isn't plain: money that goes back is as good as money that came.
export const toneOf = (payment) => TONE[payment.state] || "idle";

const GOES_BACK = ["authorised", "captured", "settled"];

export const stateOf = (payment) => (payment.void_asked && GOES_BACK.includes(payment.state)
  ? t("payment.goes-back") : word("payment.state", payment.state));

export const amountOf = (payment) => money(payment.amount_minor, payment.currency);

// What a customer is to be asked for: less than the payment, when a part of the goods came back.
export const owedOf = (payment) => money(payment.owed_minor ?? payment.amount_minor, payment.currency);

const scheme = (name) => name.replace(/(^|[ -])[a-z]/g, (found) => found.toUpperCase());

// "Visa •••• 4242", or nothing where the terminal told nothing.
// A gift card by its kind.
export const cardOf = (payment) => [payment.kind && payment.kind !== "card" ? word("tender", payment.kind)
  : payment.scheme && scheme(payment.scheme), payment.last4 && `•••• ${payment.last4}`]
  .filter(Boolean).join(" ");

export const tillOf = (payment) => payment.device_name || isolated(payment.device_id);
export const terminalOf = (payment) => (payment.kind && payment.kind !== "card" ? t("payment.issuer") : "") || payment.terminal_name
  || (payment.terminal_id === payment.device_id ? t("payment.own") : isolated(payment.terminal_id));

export const addressOf = (payment) => `#/payments/${encodeURIComponent(payment.payment_id)}`;

export const paymentLink = (payment, text = amountOf(payment)) => el("a", { href: addressOf(payment) }, text);

export const declineOf = (payment) => (payment.decline_code ? word("decline", payment.decline_code) : "");

export const reasonOf = (payment) => sentence(payment.reason || "");

// Who did a step: a device by its name, the hub, the processor, somebody at the page.
export function whoOf(payment, by) {
  if (by === payment.device_id) return tillOf(payment);
  if (by === payment.terminal_id) return terminalOf(payment);
  return word("payment.by", by.split(":")[0]) === by.split(":")[0] ? isolated(by) : word("payment.by", by.split(":")[0]);
}
