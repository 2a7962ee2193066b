// The report of one outage: what needs a person first, then what happened.

import { el, mark, prose } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { readInto } from "../kit/list.js";
import { backLink, button, factList } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { count, exact, isolated, lasting, moment, money } from "../kit/words.js";
import { hubNowMs, state } from "../state.js";
import { during, kept, lasted, needs, where } from "./words.js";

const KEPT_MS = 30 * 86_400_000; // so long the hub keeps what it told the cloud of its devices
const LEVEL = { good: "ok", warn: "warning", bad: "critical" };

function said(text, className = "") {
  const node = el("p", { class: className });
  prose(node, text);
  return node;
}

function summary(report) {
  const { outage, waiting } = report;
  const tone = needs(outage)[1];
  const level = waiting.still_waiting && tone === "good" ? "notice" : LEVEL[tone];
  const sentence = outage.ended_at_ms
    ? outage.needs_person ? t("report.needs", { n: outage.needs_person }) : t("report.fine")
    : t("report.goeson");
  return el("section", { class: "verdict report-verdict", "data-level": level, "aria-labelledby": "report-sum" },
    el("span", { class: "verdict-mark" }, icon(level)),
    el("div", { class: "verdict-words" },
      el("p", { class: "verdict-kicker" }, whereLong(outage)),
      el("h2", { id: "report-sum", class: "report-headline" }, sentence),
      el("p", { class: "verdict-sub" }, [kept(report), toldOf(report)].filter(Boolean).join(" "))));
}

const whereLong = (outage) => (outage.drill || ["hub-off", "unknown"].includes(outage.place) ? where(outage)
  : t("report.where", { place: where(outage) }));

function toldOf({ outage, waiting, caught_up_at_ms: caughtUpMs }) {
  if (waiting.still_waiting) return t("report.waiting", { n: waiting.still_waiting });
  if (!caughtUpMs || !outage.ended_at_ms || waiting.parked) return "";
  return t("report.caughtup", { span: lasting(Math.max(0, caughtUpMs - outage.ended_at_ms)) });
}

const need = (one) => el("li", { class: "problem", "data-level": "warning", "data-key": one.key },
  el("div", { class: "problem-head" }, el("span", { class: "level-mark" }, icon("warning")),
    el("h3", { class: "problem-title" }, one.title),
    one.count > 1 ? el("span", { class: "problem-age" }, count(one.count)) : ""),
  said(one.text, "problem-summary"),
  one.next_step && el("div", { class: "problem-step" }, icon("step"),
    el("div", {}, el("strong", {}, t("problem.step")), said(one.next_step))),
  one.link && el("div", { class: "problem-foot" }, el("a", { class: "problem-link", href: one.link },
    t("problem.see", { page: word("nav", one.link.split("/")[1]) }))));

const figures = ({ outage, sales, waiting, payments, caught_up_at_ms: caughtUpMs }) => el("section", { class: "card" },
  el("h2", {}, t("report.figures")),
  factList([
    [t("report.began"), moment(outage.began_at_ms)],
    [t("report.ended"), outage.ended_at_ms ? moment(outage.ended_at_ms) : t("outage.goeson")],
    [t("history.lasted"), lasted(outage, hubNowMs())],
    [t("outage.place"), where(outage)],
    [t("report.caughtat"), caughtUpMs ? moment(caughtUpMs) : ""],
  ]),
  el("h3", { class: "facts-title" }, t("report.sold")),
  factList([
    [t("sales.count"), count(sales.count)],
    [t("sales.total"), money(sales.total_minor, sales.currency)],
    [t("sales.voided"), count(sales.voids)],
    [t("sale.returns"), count(sales.returns)],
  ]),
  el("h3", { class: "facts-title" }, t("report.messages")),
  factList([
    [t("report.highest"), count(waiting.highest_depth)],
    [t("report.told"), count(waiting.told)],
    [t("report.still"), count(waiting.still_waiting)],
    [t("outbox.parked"), count(waiting.parked)],
  ]),
  ...(payments ? carded(payments) : []));

const sumOf = (n, minor, currency) => (n ? t("report.cards.sum", { n, amount: money(minor, currency) }) : count(0));

// Cards accepted offline: what has come of them until now.
const carded = (now) => [
  el("h3", { class: "facts-title" }, t("report.cards")),
  factList([
    [t("report.cards.stored"), sumOf(now.stored, now.stored_minor, now.currency)],
    [t("report.cards.forwarded"), sumOf(now.forwarded, now.forwarded_minor, now.currency)],
    [t("report.cards.waiting"), sumOf(now.waiting, now.waiting_minor, now.currency)],
    [t("report.cards.declined"), sumOf(now.declined, now.declined_minor, now.currency)],
    [t("report.cards.back"), now.given_back ? count(now.given_back) : ""],
  ]),
];

const devices = ({ outage, devices_lost: lost }) => el("section", { class: "card" },
  el("h2", {}, t("report.devices")),
  lost.length ? el("ul", { class: "mini-list" }, lost.map((one) => el("li", {},
    el("span", { class: "mini-name" }, el("a", { href: `#/devices/${encodeURIComponent(one.device_id)}` }, one.name || isolated(one.device_id))),
    el("span", { class: "quiet nowrap" }, t("report.times", { n: one.times })))))
    : el("p", { class: "quiet" }, t(hubNowMs() - outage.began_at_ms > KEPT_MS ? "report.forgotten" : "report.nodevices")));

function happened(newestFirst) {
  const list = [...newestFirst].reverse();
  const days = new Set(list.map((one) => new Date(one.at_ms).toDateString()));
  const at = (ms) => (days.size > 1 ? moment(ms) : exact(ms));
  return el("section", { class: "card" }, el("h2", {}, t("report.happened")),
    list.length ? el("ol", { class: "happened" }, list.map((one) => el("li", {},
      el("time", { datetime: new Date(one.at_ms).toISOString() }, at(one.at_ms)),
      el("p", {}, one.text))))
      : el("p", { class: "quiet" }, t("report.nothing")));
}

const print = () => button(t("report.print"), "plain small no-print", () => window.print());

export function openReport(root, outageId) {
  const name = el("h1", { tabindex: "-1" }, t("report.title"));
  const head = el("div", { class: "page-head" }, name, print());
  const printed = el("p", { class: "only-print" });
  const body = el("div");
  let wanted = true;
  root.append(backLink("#/outages", t("nav.outages")), head, printed, body);
  const reading = readInto(body, (ask) => ask(`/api/1/outages/${encodeURIComponent(outageId)}`), (report) => {
    const { outage } = report;
    wanted = !outage.ended_at_ms || report.waiting.still_waiting > 0;
    name.textContent = t(outage.drill ? "report.drill" : "report.cut", { time: during(outage, hubNowMs()) });
    printed.textContent = t("report.printed", { store: state.picture.store_name, number: state.picture.store, time: moment(hubNowMs(), 0) });
    return [
      summary(report),
      report.needs.length ? el("ol", { class: "problems", "aria-label": t("report.todo") }, report.needs.map(need)) : "",
      el("div", { class: "board two" }, figures(report),
        el("div", { class: "stack" }, devices(report), happened(report.happened))),
    ];
  });
  let seen = null;
  return {
    // What isn't over yet is read again when something about it changed.
    draw() {
      const { picture } = state;
      const now = JSON.stringify([picture.cloud.state, picture.outbox.depth === 0, picture.outbox.parked]);
      if (seen !== null && seen !== now && wanted) reading.refresh();
      seen = now;
      mark(root, "data-outage", outageId);
    },
    close: reading.stop,
  };
}
