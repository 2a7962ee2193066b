// Events that go up and commands that came down, newest first.

import * as api from "../api.js";
import { el, show } from "../kit/dom.js";
import { choice, pagedList } from "../kit/list.js";
import { empty, pill, table } from "../kit/parts.js";
import { eventName, t, word } from "../kit/t.js";
import { bytes, isolated, moment } from "../kit/words.js";

const STREAMS = ["payments", "orders", "sales", "stock", "telemetry"];
const OUTCOME_TONE = { done: "good", failed: "warn", passed_over: "idle" };

// Reads when it is looked at the first time: most visits don't open it.
function lazily(node, list) {
  let read = false;
  const watch = new IntersectionObserver((entries) => {
    if (read || !entries.some((one) => one.isIntersecting)) return;
    read = true;
    watch.disconnect();
    list.restart();
  });
  watch.observe(node);
  return () => {
    watch.disconnect();
    list.stop();
  };
}

export function events() {
  let stream = "";
  let which = "all";
  const rows = table([
    {
      title: t("events.type"),
      name: "main",
      cell: (one) => el("span", {}, el("a", { href: `#/cloud/${one.outbox_id}` }, eventName(one.type)), " ",
        el("span", { class: "quiet" }, isolated(one.aggregate))),
    },
    { title: t("events.when"), name: "bare", cell: (one) => moment(one.at_ms) },
    { title: t("events.stream"), name: "bare", cell: (one) => word("stream", one.stream) },
    { title: t("events.size"), name: "num bare", cell: (one) => bytes(one.bytes) },
    {
      title: t("events.state"),
      name: "key",
      cell: (one) => (one.marker ? pill(t("told.parked"), "warn")
        : pill(t(`told.${one.state}`), one.state === "acked" ? "good" : "idle")).node,
    },
  ], t("events.title"));
  const list = pagedList({
    load: async (cursor) => {
      const found = await api.read("/api/1/cloud/events", { stream, state: which, cursor, limit: 30 });
      return [found.events, found.next_cursor];
    },
    draw: (items) => {
      show(rows.node, items.length > 0);
      rows.draw(items, (one) => String(one.outbox_id));
    },
    none: () => empty(t("events.none")),
  });
  const tools = el("div", { class: "tools" },
    choice(t("events.state"), [["all", t("events.all")], ["waiting", t("events.waiting")]], (chosen) => {
      which = chosen;
      list.restart();
    }),
    choice(t("events.stream"), [["", t("events.allstreams")], ...STREAMS.map((one) => [one, word("stream", one)])], (chosen) => {
      stream = chosen;
      list.restart();
    }));
  const node = el("div", {}, tools, list.top, rows.node, list.nothing, list.rest);
  return { node, stop: lazily(node, list) };
}

export function commands() {
  const rows = table([
    { title: t("commands.type"), name: "main", cell: (one) => word("command", one.type) },
    { title: t("commands.when"), name: "bare", cell: (one) => moment(one.at_ms) },
    { title: t("commands.outcome"), name: "key", cell: (one) => pill(t(`commands.${one.outcome}`), OUTCOME_TONE[one.outcome]).node },
    { title: t("commands.why"), name: "bare", cell: (one) => one.why },
  ], t("commands.title"));
  const list = pagedList({
    load: async (cursor) => {
      const found = await api.read("/api/1/cloud/commands", { cursor, limit: 30 });
      return [found.commands, found.next_cursor];
    },
    draw: (items) => {
      show(rows.node, items.length > 0);
      rows.draw(items, (one) => String(one.number));
    },
    none: () => empty(t("commands.none")),
  });
  const node = el("div", {}, list.top, rows.node, list.nothing, list.rest);
  return { node, stop: lazily(node, list) };
}
