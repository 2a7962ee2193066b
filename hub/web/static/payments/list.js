// Card payments: what needs somebody, what is at risk, what is under way, all of them.

import * as api from "../api.js";
import { el, put, show } from "../kit/dom.js";
import { choice, every, pagedList } from "../kit/list.js";
import { empty, facts, heading, pill, table, trouble, waiting } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, count, isolated, lasting, moment, money } from "../kit/words.js";
import { hubNowMs } from "../state.js";
import { exposure } from "./meter.js";
import { people } from "./people.js";
import { cardOf, declineOf, paymentLink, reasonOf, stateOf, terminalOf, tillOf, toneOf } from "./words.js";

const LIVE_MS = 2000;
const READ = 30;
const SOME = ["offline", "failed", "back"];

const what = (one) => el("span", {}, paymentLink(one), cardOf(one) && el("span", { class: "quiet job-why" }, cardOf(one)),
  declineOf(one) ? el("span", { class: "quiet job-why" }, declineOf(one)) : "");

const statePill = (one) => pill(stateOf(one), toneOf(one)).node;

const keyOf = (one) => `${one.payment_id} ${one.state} ${one.void_asked} ${one.in_sale} ${one.refunded_minor}`;

const next = (one) => (one.expires_in_ms !== undefined ? t("payment.expires", { span: lasting(one.expires_in_ms) })
  : one.waits_for ? word("payment.waits", one.waits_for) : reasonOf(one));

const MAIN = [
  { title: t("payment.amount"), name: "main", cell: what },
  { title: t("job.state"), name: "key", cell: statePill },
  { title: t("job.till"), name: "loose", cell: tillOf },
];

function open() {
  const rows = table([...MAIN,
    { title: t("payment.terminal"), name: "loose", cell: terminalOf },
    { title: t("payment.next"), name: "loose", cell: next },
    { title: t("job.since"), name: "bare", cell: (one) => ago(hubNowMs() - one.begun_at_ms) },
  ], t("payments.open"));
  const more = el("p", { class: "quiet" });
  const node = el("section", { class: "card page-part", "aria-labelledby": "moving-title", hidden: true },
    el("h2", { id: "moving-title" }, t("payments.open")), rows.node, more);
  return {
    node,
    draw(payments, total) {
      show(node, payments.length > 0);
      rows.draw(payments, keyOf);
      put(more, total > payments.length ? t("jobs.open.more", { n: total - payments.length }) : "");
      show(more, total > payments.length);
    },
  };
}

const receipt = (one) => (one.sale_known
  ? el("a", { href: `#/sales/${encodeURIComponent(one.sale_id)}` }, el("span", { class: "nowrap" }, isolated(one.receipt_no))) : "");

function everything() {
  let wanted = "all";
  const rows = table([...MAIN,
    { title: t("payment.sale"), name: "loose", cell: receipt },
    { title: t("sales.when"), name: "bare", cell: (one) => moment(one.begun_at_ms) },
  ], t("payments.all"));
  const shelf = el("div", {}, rows.node);
  const list = pagedList({
    load: async (cursor, ask) => {
      const found = await ask("/api/1/payments/all", { which: wanted, cursor, limit: READ });
      return [found.payments, found.next_cursor];
    },
    draw: (items) => {
      show(shelf, items.length > 0);
      rows.draw(items, keyOf);
    },
    none: () => (wanted !== "all" ? el("p", { class: "quiet" }, t("jobs.none.such")) : empty(t("payments.none"), t("payments.none.hint"))),
  });
  const which = choice(t("payments.which"), [["all", t("payments.which.all")], ...SOME.map((one) => [one, word("payments.which", one)])], (chosen) => {
    wanted = chosen;
    list.restart();
  });
  which.id = "payments-which";
  const node = el("section", { class: "card page-part", "aria-labelledby": "all-title" },
    el("div", { class: "part-head" }, el("h2", { id: "all-title" }, t("payments.all")), el("div", { class: "tools" }, which)),
    list.top, shelf, list.nothing, list.rest);
  show(shelf, false);
  return { node, list };
}

export function openList(root) {
  const sums = el("dl", { class: "facts wide counts" });
  const counts = el("section", { class: "card page-part", "aria-label": t("payments.counts"), hidden: true }, sums);
  const wrong = el("div");
  const first = el("div", {}, waiting());
  const asked = people(look);
  const risk = exposure();
  const moves = open();
  const all = everything();
  let seen = "";

  async function read(ask) {
    try {
      const found = await ask("/api/1/payments");
      wrong.replaceChildren();
      first.replaceChildren();
      draw(found);
    } catch (error) {
      if (error.status === 401) return;
      first.replaceChildren();
      wrong.replaceChildren(trouble(error, look));
    }
  }

  function draw(found) {
    const { counts: now } = found;
    show(counts, true);
    facts(sums, [
      [t("payments.open"), count(now.open)],
      [t("payments.people"), count(now.people)],
      [t("payments.processor"), found.processor ? count(now.at_processor) : ""],
      [t("payments.owed"), money(now.receivable_minor, found.exposure.currency)],
    ]);
    asked.draw(found.people);
    risk.draw(found.exposure);
    moves.draw(found.open, now.open - found.people.filter((one) => !["manual", "lost", "recovery", "expired"].includes(one.state)).length);
    const newest = JSON.stringify([found.newest, found.changed_at_ms, now, found.people.map(keyOf)]);
    if (newest !== seen && seen !== "") all.list.refresh();
    seen = newest;
  }

  function look() {
    return read(api.read);
  }

  root.append(heading(t("nav.payments")), wrong, first, counts, asked.node, risk.node, moves.node, all.node);
  all.list.restart();
  const stop = every(LIVE_MS, () => read(api.watch));
  return {
    draw: risk.tick,
    close() {
      stop();
      all.list.stop();
    },
  };
}
