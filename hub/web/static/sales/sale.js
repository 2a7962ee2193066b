// One sale with everything that became of it.

import * as api from "../api.js";
import { ask, say } from "../kit/dialog.js";
import { el, unbroken } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { readInto } from "../kit/list.js";
import { backLink, button, factList, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { businessDay, isolated, moment, money } from "../kit/words.js";
import { may } from "../me.js";
import { amountOf, cardOf, paymentLink, stateOf, toneOf } from "../payments/words.js";
import { lineTable } from "./lines.js";

const TOLD_TONE = { acked: "good", waiting: "idle", parked: "warn", unknown: "idle" };

const about = ({ sale, voided_at_ms: voidedMs, void_reason: why }) => el("section", { class: "card" },
  el("h2", {}, t("sale.about")),
  factList([
    [t("sales.when"), moment(sale.at_ms)],
    [t("sales.day"), businessDay(sale.business_day)],
    [t("sales.device"), isolated(sale.device_id)],
    [t("sales.state.voided"), voidedMs ? [moment(voidedMs), why].filter(Boolean).join(": ") : ""],
    [t("sale.id"), isolated(sale.sale_id)],
  ]));

function sums(found) {
  const { currency } = found.sale;
  return el("section", { class: "card" }, el("h2", {}, t("sale.sums")),
    el("p", { class: "big-figure" }, money(found.sale.total_minor, currency)),
    factList([
      [t("sale.tax"), money(found.tax_minor, currency)],
      [t("sale.rounding"), found.rounding_minor ? money(found.rounding_minor, currency) : ""],
      ...found.tenders.map((one) => [word("tender", one.kind), one.refunded_minor
        ? t("sale.refunded", { amount: money(one.amount_minor, currency), back: money(one.refunded_minor, currency) })
        : money(one.amount_minor, currency)]),
      [t("sale.change"), found.change_minor ? money(found.change_minor, currency) : ""],
    ]));
}

const told = (found) => el("section", { class: "card" },
  el("h2", {}, t("sale.told"), pill(t(`told.${found.told}`), TOLD_TONE[found.told]).node),
  el("p", { class: "quiet" }, t(`told.${found.told}.text`)),
  found.told === "parked" && el("p", { class: "card-link" }, el("a", { href: "#/cloud" }, t("cloud.link"))));

const back = (found, one) => el("li", {},
  el("span", {}, moment(one.at_ms), el("br"),
    el("span", { class: "quiet" }, one.lines.map((line) =>
      [line.sku, word("disposition", line.disposition), line.reason].filter(Boolean).join(" · ")).join("; "))),
  el("span", { class: "nowrap" }, money(-one.total_minor, found.sale.currency)));

// Those begun for it that the hub knows, also such as came to nothing.
const paid = (payments) => el("section", { class: "card" }, el("h2", {}, t("sale.payments")),
  el("ul", { class: "mini-list sale-payments" }, payments.map((one) => el("li", {},
    el("span", {}, paymentLink(one, amountOf(one)), cardOf(one) && el("br"), cardOf(one) && el("span", { class: "quiet" }, cardOf(one))),
    pill(stateOf(one), toneOf(one)).node))));

async function reprint({ sale }) {
  const yes = await ask({
    title: t("receipt.print.title", { no: isolated(sale.receipt_no) }), text: t("job.reprint.text"), yes: t("receipt.print"),
  });
  if (!yes) return;
  try {
    await api.change("print", "reprint", { sale_id: sale.sale_id });
    say(t("job.reprint.done"));
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
}

const paperButtons = (found) => el("div", { class: "buttons", id: "receipt-buttons" },
  el("a", {
    class: "button plain small", href: `/api/1/sales/${encodeURIComponent(found.sale.sale_id)}/receipt`, target: "_blank", rel: "noopener",
  }, icon("sales"), t("receipt.show")),
  may("printing") ? button(t("receipt.print"), "plain small", () => reprint(found)) : "");

export function openSale(root, saleId) {
  const name = el("h1", { tabindex: "-1" }, t("sale.title", { no: "" }));
  const head = el("div", { class: "page-head device-head" }, name);
  const body = el("div");
  root.append(backLink("#/sales", t("nav.sales")), head, body);
  const reading = readInto(body, () => api.read(`/api/1/sales/${encodeURIComponent(saleId)}`), (found) => {
    const no = isolated(found.sale.receipt_no);
    name.replaceChildren(...unbroken(t("sale.title", { no }), no));
    if (found.sale.state === "voided") head.append(pill(t("sales.state.voided"), "warn").node);
    const made = sums(found);
    made.append(paperButtons(found));
    return el("div", { class: "board" }, made, about(found), found.payments.length ? paid(found.payments) : "", told(found),
      el("section", { class: "card span-all" }, el("h2", {}, t("sale.lines")),
        lineTable(found.lines, found.sale.currency, t("sale.lines"))),
      found.returns.length ? el("section", { class: "card span-all" }, el("h2", {}, t("sale.returns")),
        el("ul", { class: "mini-list" }, found.returns.map((one) => back(found, one)))) : "");
  });
  return { close: reading.stop };
}
