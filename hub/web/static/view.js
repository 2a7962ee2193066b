// From one picture of the hub to the page.  Texts go in as text, never as markup.

import { bytes, count, moment, money, span } from "./text.js";

const by = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function put(id, text) {
  const node = by(id);
  if (node.textContent !== text) node.textContent = text;
}

function pill(node, text, tone) {
  if (node.textContent !== text) node.textContent = text;
  node.dataset.tone = tone;
}

function facts(id, pairs) {
  const list = by(id);
  const kept = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const now = JSON.stringify(kept);
  if (list.dataset.now === now) return;
  list.dataset.now = now;
  list.replaceChildren(
    ...kept.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))),
  );
}

const CLOUD = {
  up: ["Connected", "good"],
  connecting: ["Connecting", "warn"],
  down: ["Not reached", "warn"],
  refused: ["Refused", "bad"],
  superseded: ["Superseded", "bad"],
  unconfigured: ["Not set up", "idle"],
};
const BROKER = {
  running: ["Running", "good"],
  external: ["Connected", "good"],
  starting: ["Starting", "warn"],
  backoff: ["Failing", "bad"],
  stopped: ["Stopped", "bad"],
};
const DISCOVERY = {
  announced: ["Announced", "good"],
  waiting: ["Waiting", "warn"],
  degraded: ["Degraded", "warn"],
  off: ["Off", "idle"],
};
const STORAGE = { ok: ["Fine", "good"], full: ["Full", "bad"] };
const PRESENCE = {
  ready: ["Online", "good"],
  init: ["Starting", "warn"],
  sleeping: ["Asleep", "idle"],
  disconnected: ["Off", "idle"],
  lost: ["Lost", "bad"],
  unknown: ["Not seen yet", "idle"],
};
const MODE = {
  online: "Selling",
  offline: "Selling, cloud away",
  recovery: "Recovering",
  superseded: "Superseded",
};
// What the hub does just now, in two words.
const doing = (picture) => (picture.broker.connected ? MODE[picture.mode] || picture.mode
  : "Devices can't sell");
const word = (table, key) => table[key] || [key, "warn"];

// Sentences that stop the shop, by how the hub words them, are red; the rest is amber.
const tone = (picture) => {
  if (!picture.problems.length) return "good";
  const stops = picture.storage.state !== "ok" || picture.mode === "superseded"
    || ["backoff", "stopped"].includes(picture.broker.state) || !picture.broker.connected
    || picture.cloud.state === "refused";
  return stops ? "bad" : "warn";
};

export function verdict(picture) {
  const many = picture.problems.length;
  by("verdict").dataset.tone = tone(picture);
  put("verdict-title", many ? "Needs attention" : "All is well");
  put("verdict-sub", many
    ? `${doing(picture)} · ${many} thing${many > 1 ? "s" : ""} to look at`
    : doing(picture));
  const list = by("problems");
  const now = JSON.stringify(picture.problems);
  if (list.dataset.now !== now) {
    list.dataset.now = now;
    list.replaceChildren(...picture.problems.map((text) => el("li", {}, text)));
  }
  document.title = many ? `(${many}) ${picture.store_name}` : picture.store_name;
}

function sales(picture, nowMs) {
  const { sales: day } = picture;
  put("sales-total", money(day.total_minor, day.currency));
  put("sales-count", count(day.count));
  put("sales-last", day.last_at_ms ? `${span(nowMs - day.last_at_ms)} ago` : "none yet");
  put("sales-rate", day.per_minute.toLocaleString(undefined, { maximumFractionDigits: 1 }));
  put("sales-returned", money(day.returned_minor, day.currency));
  put("sales-voided", count(day.voided));
}

function cloud(picture, nowMs) {
  const { cloud: link, outbox } = picture;
  pill(by("cloud-pill"), ...word(CLOUD, link.state));
  put("cloud-lead", link.detail || `For ${span(nowMs - link.since_ms)}`);
  facts("cloud-facts", [
    ["Address", link.url],
    ["Last answer", link.last_success_at_ms ? `${span(nowMs - link.last_success_at_ms)} ago` : ""],
    ["Importing", link.importing],
    ...Object.entries(link.datasets),
    ["Differences", link.drift ? count(link.drift) : ""],
  ]);
  const state = outbox.parked ? ["Parked", "warn"] : outbox.depth ? ["Waiting", "idle"] : ["Empty", "good"];
  pill(by("outbox-pill"), ...state);
  put("outbox-lead", outbox.depth
    ? `${count(outbox.depth)} event${outbox.depth > 1 ? "s" : ""} to send`
    : "Everything is sent");
  facts("outbox-facts", [
    ["Oldest", outbox.oldest_at_ms ? span(nowMs - outbox.oldest_at_ms) : ""],
    ...Object.entries(outbox.streams).map(([stream, many]) => [stream, count(many)]),
    ["Parked", outbox.parked ? count(outbox.parked) : ""],
  ]);
}

function machine(picture, nowMs) {
  const { broker, discovery, storage } = picture;
  const state = broker.connected || broker.state !== "running"
    ? word(BROKER, broker.state) : ["No connection", "bad"];
  pill(by("broker-pill"), ...state);
  put("broker-lead", broker.detail || `For ${span(nowMs - broker.since_ms)}`);
  facts("broker-facts", [
    ["Run by", broker.mode === "managed" ? "this hub" : "the site"],
    ["Restarts", count(broker.restarts)],
  ]);
  pill(by("discovery-pill"), ...word(DISCOVERY, discovery.state));
  put("discovery-lead", discovery.name || discovery.detail || "Devices need the address typed in");
  facts("discovery-facts", [
    ["Addresses", discovery.addresses.join(", ")],
    ["Note", discovery.name ? discovery.detail : ""],
  ]);
  pill(by("storage-pill"), ...word(STORAGE, storage.state));
  put("storage-lead", `${bytes(storage.free_bytes)} free`);
  facts("storage-facts", [
    ["Database", bytes(storage.database_bytes)],
    ["Log", bytes(storage.wal_bytes)],
    ["Waiting to be written", count(storage.queue_depth)],
  ]);
  facts("hub-facts", [
    ["Hub", picture.hub_id],
    ["Version", picture.version],
    ["Running for", span(nowMs - picture.started_at_ms)],
    ["Incarnation", picture.incarnation],
    ["Work", count(picture.seq)],
    ["Safe up to", count(picture.safe_seq)],
  ]);
}

function log(picture) {
  const list = by("log-list");
  const now = JSON.stringify(picture.errors);
  if (list.dataset.now === now) return;
  list.dataset.now = now;
  by("no-log").hidden = picture.errors.length > 0;
  list.replaceChildren(...picture.errors.map((one) => {
    const level = el("span", { class: "pill" }, one.level);
    level.dataset.tone = one.level === "warning" ? "warn" : "bad";
    const when = el("time", { datetime: new Date(one.at_ms).toISOString() }, moment(one.at_ms));
    return el("li", {}, el("div", { class: "log-meta" }, level, when, el("span", {}, one.source)), one.text);
  }));
}

const rows = new Map();

function row(device, actions) {
  const name = el("span", { class: "device-name" });
  const sub = el("span", { class: "device-sub" });
  const mark = el("span", { class: "pill" });
  const made = el("li", { class: "device", "data-device": device.device_id }, name, mark, sub);
  const known = { made, name, sub, mark, device };
  if (device.status === "paired") {
    const summary = el("summary", {}, "Manage");
    const buttons = el("div", { class: "device-actions" });
    for (const [text, style, act] of actions) {
      const button = el("button", { type: "button", class: `${style} small` }, text);
      button.addEventListener("click", () => act(known.device));
      buttons.append(button);
    }
    known.summary = summary;
    made.append(el("details", { class: "device-menu" }, summary, buttons));
  }
  return known;
}

function place(list, devices, nowMs, actions) {
  const made = devices.map((device) => {
    const key = `${device.device_id} ${device.status}`;
    const known = rows.get(key) || row(device, actions);
    rows.set(key, known);
    known.device = device;
    if (known.name.textContent !== device.name) known.name.textContent = device.name;
    known.summary?.setAttribute("aria-label", `Manage ${device.name}`);
    const seen = device.presence !== "ready" && device.last_seen_at_ms
      ? `seen ${span(nowMs - device.last_seen_at_ms)} ago` : "";
    const text = [device.device_id, device.model, device.auth === "password" ? "password" : "",
      device.signed_in ? `${device.signed_in} signed in` : "", seen].filter(Boolean).join(" · ");
    if (known.sub.textContent !== text) known.sub.textContent = text;
    if (device.status === "paired") pill(known.mark, ...word(PRESENCE, device.presence));
    else pill(known.mark, "Revoked", "idle");
    return known.made;
  });
  const same = made.length === list.children.length
    && made.every((node, index) => list.children[index] === node);
  if (!same) list.replaceChildren(...made);
}

export function devices(picture, nowMs, actions) {
  const paired = picture.devices.filter((one) => one.status === "paired");
  const revoked = picture.devices.filter((one) => one.status !== "paired");
  const online = paired.filter((one) => one.presence === "ready").length;
  put("devices-count", paired.length ? `${online} of ${paired.length} online` : "");
  by("no-devices").hidden = paired.length > 0;
  place(by("device-list"), paired, nowMs, actions);
  by("revoked").hidden = revoked.length === 0;
  put("revoked-title", `Revoked (${revoked.length})`);
  place(by("revoked-list"), revoked, nowMs, actions);
}

export function show(picture, nowMs, actions) {
  put("store-name", picture.store_name + (picture.training ? " (training)" : ""));
  put("store-sub", `Store ${picture.store}`);
  verdict(picture);
  sales(picture, nowMs);
  cloud(picture, nowMs);
  devices(picture, nowMs, actions);
  machine(picture, nowMs);
  log(picture);
}
