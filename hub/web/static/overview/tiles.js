// The figures below the verdict: sales, cloud, outbox, devices, the box.

import { el, keyed, put, redraw, show } from "../kit/dom.js";
import { card, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, bytes, count, decimal, isolated, lasting, moment, money, span } from "../kit/words.js";

export const CLOUD_TONE = {
  up: "good", connecting: "warn", down: "warn", refused: "bad", superseded: "bad", unconfigured: "idle",
};
const BROKER_TONE = {
  running: "good", external: "good", starting: "warn", backoff: "bad", stopped: "bad",
};
const DISCOVERY_TONE = { announced: "good", waiting: "warn", degraded: "warn", off: "idle" };
export const PRESENCE_TONE = {
  ready: "good", init: "warn", sleeping: "idle", disconnected: "idle", lost: "bad", unknown: "idle",
};

export function sales(link, chart) {
  const total = el("p", { class: "big-figure", id: "sales-total" });
  const made = card(t("sales.today"), { name: "sales", wide: true, link });
  made.heading.after(total);
  made.list.after(chart);
  return {
    node: made.node,
    draw(picture, nowMs) {
      const day = picture.sales;
      put(total, money(day.total_minor, day.currency));
      made.draw({
        facts: [
          [t("sales.count"), count(day.count)],
          [t("sales.last"), day.last_at_ms ? ago(nowMs - day.last_at_ms) : t("sales.none")],
          [t("sales.rate"), decimal(day.per_minute)],
          [t("sales.returned"), money(day.returned_minor, day.currency)],
          [t("sales.voided"), count(day.voided)],
        ],
      });
    },
  };
}

export function cloud(link, chart) {
  const made = card(t("cloud.title"), { name: "cloud", link });
  made.list.after(chart);
  return {
    node: made.node,
    draw({ cloud: now }, nowMs) {
      made.draw({
        tone: CLOUD_TONE[now.state] || "warn",
        state: word("cloud.state", now.state),
        lead: now.detail || (now.state === "up" ? t("cloud.for", { span: span(nowMs - now.since_ms) }) : ""),
        facts: [
          [t("cloud.address"), now.url],
          [t("cloud.success"), now.last_success_at_ms ? ago(nowMs - now.last_success_at_ms) : t("never")],
          [t("cloud.importing"), now.importing],
          [t("cloud.drift"), now.drift ? t("cloud.drift.many", { n: now.drift }) : ""],
        ],
      });
    },
  };
}

function outboxState(outbox) {
  if (outbox.parked) return ["warn", t("outbox.state.parked")];
  return outbox.depth ? ["idle", t("outbox.state.waiting")] : ["good", t("outbox.state.empty")];
}

export function outbox(link, chart) {
  const made = card(t("outbox.title"), { name: "outbox", link });
  made.list.after(chart);
  return {
    node: made.node,
    draw({ outbox: now }, nowMs) {
      const [tone, state] = outboxState(now);
      made.draw({
        tone,
        state,
        lead: now.depth ? t("outbox.depth", { n: now.depth }) : t("outbox.sent"),
        facts: [
          [t("outbox.oldest"), now.oldest_at_ms ? span(nowMs - now.oldest_at_ms) : ""],
          [t("outbox.parked"), now.parked ? count(now.parked) : ""],
        ],
      });
    },
  };
}

const SHOWN = 6;
const ORDER = ["lost", "init", "unknown", "disconnected", "sleeping", "ready"];

export function devices(link) {
  const list = el("ul", { class: "mini-list" });
  const rest = el("p", { class: "quiet" });
  const made = card(t("devices.title"), { name: "devices-tile", link });
  made.list.replaceWith(list, rest);
  return {
    node: made.node,
    draw(picture) {
      const paired = picture.devices.filter((one) => one.status === "paired" && one.auth !== "hub");
      const online = paired.filter((one) => one.presence === "ready").length;
      const lost = paired.some((one) => one.presence === "lost");
      made.draw({
        tone: lost ? "bad" : online ? "good" : "idle",
        state: paired.length ? t("devices.online", { online, n: paired.length }) : "",
        lead: paired.length ? "" : t("devices.none"),
      });
      const sorted = [...paired].sort((a, b) => ORDER.indexOf(a.presence) - ORDER.indexOf(b.presence));
      keyed(list, sorted.slice(0, SHOWN), (one) => one.device_id, () => {
        const name = el("span", { class: "mini-name" });
        const state = pill();
        return {
          node: el("li", {}, name, state.node),
          draw(one) {
            put(name, one.name);
            state.draw(word("presence", one.presence), PRESENCE_TONE[one.presence] || "warn");
          },
        };
      });
      put(rest, paired.length > SHOWN ? t("devices.more", { n: paired.length - SHOWN }) : "");
      show(rest, paired.length > SHOWN);
    },
  };
}

function printingState(jobs) {
  if (jobs.ambiguous) return ["warn", t("counts.ambiguous")];
  return jobs.waiting || jobs.printing ? ["idle", t("counts.queued")] : ["good", t("printing.done")];
}

// Only where something hangs on the box, or something is to be printed.
export function printing(link) {
  const made = card(t("nav.printing"), { name: "printing-tile", link });
  return {
    node: made.node,
    draw({ peripherals = [], printing: jobs }) {
      show(made.node, Boolean(jobs) && (peripherals.length > 0 || jobs.waiting + jobs.printing + jobs.ambiguous > 0));
      if (!jobs) return;
      const [tone, text] = printingState(jobs);
      const ready = peripherals.filter((one) => one.phase === "ready").length;
      made.draw({
        tone,
        state: text,
        lead: jobs.ambiguous ? t("printing.ask", { n: jobs.ambiguous }) : "",
        facts: [
          [t("counts.queued"), jobs.waiting ? count(jobs.waiting) : ""],
          [t("counts.printing"), jobs.printing ? count(jobs.printing) : ""],
          [t("printing.failed"), jobs.failed ? count(jobs.failed) : ""],
          [t("nav.peripherals"), peripherals.length ? t("peripherals.ready", { ready, n: peripherals.length }) : ""],
        ],
      });
    },
  };
}

const METER_TONE = { clear: "good", near: "warn", full: "bad" };

const anyOf = (counts) => Object.values(counts).some(Boolean);

// Only where cards are paid with through the hub.
export function payments(link) {
  const made = card(t("nav.payments"), { name: "payments-tile", link });
  return {
    node: made.node,
    draw({ payments: now }) {
      show(made.node, Boolean(now) && (now.exposed > 0 || anyOf(now.states) || anyOf(now.needs)));
      if (!now || !now.currency) return;
      const people = Object.values(now.needs).reduce((sum, one) => sum + one, 0);
      const barred = (now.bars || []).length > 0;
      const quiet = now.meter === "clear" && !barred;
      made.draw({
        tone: people ? "warn" : barred ? "bad" : METER_TONE[now.meter] || "warn",
        state: people ? t("payments.people") : quiet && !now.exposed ? t("payments.fine") : t(barred ? "exposure.online" : `exposure.${now.meter}`),
        lead: people ? t("payments.ask", { n: people }) : "",
        facts: [
          [t("exposure.title"), t("exposure.of", { used: money(now.exposure_minor, now.currency), cap: money(now.cap_minor, now.currency) })],
          [t("exposure.expiry"), now.next_expiry_in_ms !== undefined ? lasting(now.next_expiry_in_ms) : ""],
          [t("payments.waiting"), now.waiting ? count(now.waiting) : ""],
          [t("payments.owed"), now.receivable_minor ? money(now.receivable_minor, now.currency) : ""],
        ],
      });
    },
  };
}

// Only while there are any.
export function orders(link) {
  const made = card(t("nav.orders"), { name: "orders-tile", link });
  return {
    node: made.node,
    draw({ orders: now }) {
      show(made.node, Boolean(now?.open));
      if (!now?.open) return;
      const wrong = now.short + now.late > 0;
      made.draw({
        tone: wrong ? "warn" : "good",
        state: t(wrong ? "orders.look" : "orders.fine"),
        facts: [
          [t("orders.open"), count(now.open)],
          [t("orders.short"), now.short ? count(now.short) : ""],
          [t("orders.late"), now.late ? count(now.late) : ""],
          [t("orders.next"), now.next_promise_at_ms ? moment(now.next_promise_at_ms) : ""],
        ],
      });
    },
  };
}

function brokerState(broker) {
  if (!broker.connected && broker.state === "running") return ["bad", t("broker.state.deaf")];
  return [BROKER_TONE[broker.state] || "warn", word("broker.state", broker.state)];
}

// Two parts and the disk in one card: a line each.
export function box(chart) {
  const made = card(t("box.title"), { name: "box-tile" });
  made.list.after(chart);
  const parts = el("ul", { class: "part-list" });
  made.list.before(parts);
  return {
    node: made.node,
    draw(picture, nowMs) {
      const { broker, discovery, storage } = picture;
      const [brokerTone, brokerText] = brokerState(broker);
      const rows = [
        ["broker", t("broker.title"), brokerTone, brokerText, broker.detail],
        ["discovery", t("discovery.title"), DISCOVERY_TONE[discovery.state] || "warn",
          word("discovery.state", discovery.state), discovery.name || discovery.detail],
        ["storage", t("storage.title"), ...diskState(picture), t("storage.free", { size: bytes(storage.free_bytes) })],
      ];
      keyed(parts, rows, ([key]) => key, ([key, title]) => {
        const state = pill();
        const sub = el("span", { class: "quiet" });
        return {
          node: el("li", { "data-part": key }, el("span", { class: "part-name" }, title), state.node, sub),
          draw([, , tone, text, detail]) {
            state.draw(text, tone);
            put(sub, detail);
            show(sub, Boolean(detail));
          },
        };
      });
      made.draw({
        facts: [
          [t("box.addresses"), discovery.addresses.map(isolated).join(", ")],
          [t("box.version"), picture.version],
          [t("box.running"), span(nowMs - picture.started_at_ms)],
        ],
      });
    },
  };
}

// What the check of the disk says counts more than that the hub can still write.
function diskState({ storage, health }) {
  if (storage.state !== "ok") return ["bad", word("storage.state", storage.state)];
  const found = health?.findings.find((one) => one.key === "disk-space");
  if (found?.level === "critical") return ["bad", t("storage.state.low")];
  return found?.level === "warning" ? ["warn", t("storage.state.low")] : ["good", t("storage.state.ok")];
}

const LOG_SHOWN = 5;

export function warnings(link) {
  const list = el("ul", { class: "log-list", id: "log-list" });
  const none = el("p", { class: "quiet" }, t("log.none"));
  const made = card(t("log.title"), { name: "log", link });
  made.list.replaceWith(list, none);
  return {
    node: made.node,
    draw(picture, nowMs) {
      const shown = picture.errors.slice(0, link ? LOG_SHOWN : undefined);
      show(none, shown.length === 0);
      redraw(list, shown, () => shown.map((one) => {
        const level = pill(word("log.level", one.level), one.level === "warning" ? "warn" : "bad");
        return el("li", {},
          el("div", { class: "log-meta" }, level.node,
            el("time", { datetime: new Date(one.at_ms).toISOString() }, moment(one.at_ms, nowMs)),
            el("span", {}, one.source)),
          el("p", {}, one.text));
      }));
    },
  };
}

