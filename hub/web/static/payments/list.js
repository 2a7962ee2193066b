// Card payments: what needs somebody, what is at risk, what is under way, all of them.

import { el, put, show } from "../kit/dom.js";
import { chosenList, readLive } from "../kit/list.js";
import { empty, facts, heading, pill, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, count, isolated, lasting, moment, money } from "../kit/words.js";
import { hubNowMs } from "../state.js";
import { exposure } from "./meter.js";
import { people } from "./people.js";
import { cardOf, declineOf, paymentLink, reasonOf, stateOf, terminalOf, tillOf, toneOf } from "./words.js";

const LIVE_MS = 2000;
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

const everything = () => chosenList({
  id: "payments",
  title: t("payments.all"),
  label: t("payments.which"),
  options: [["all", t("payments.which.all")], ...SOME.map((one) => [one, word("payments.which", one)])],
  path: "/api/1/payments/all",
  items: "payments",
  rows: table([...MAIN,
    { title: t("payment.sale"), name: "loose", cell: receipt },
    { title: t("sales.when"), name: "bare", cell: (one) => moment(one.begun_at_ms) },
  ], t("payments.all")),
  keyOf,
  noneSuch: t("jobs.none.such"),
  none: () => empty(t("payments.none"), t("payments.none.hint")),
});

export function openList(root) {
  const sums = el("dl", { class: "facts wide counts" });
  const counts = el("section", { class: "card page-part", "aria-label": t("payments.counts"), hidden: true }, sums);
  const live = readLive("/api/1/payments", draw);
  const asked = people(live.look);
  const risk = exposure();
  const moves = open();
  const all = everything();
  let seen = "";

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

  root.append(heading(t("nav.payments")), ...live.nodes, counts, asked.node, risk.node, moves.node, all.node);
  all.list.restart();
  const stop = live.watch(LIVE_MS);
  return {
    draw: risk.tick,
    close() {
      stop();
      all.list.stop();
    },
  };
}
