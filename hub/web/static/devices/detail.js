// One device: what it is, its certificates, and what it says just now.

import * as api from "../api.js";
import { el, mark, put, redraw, show } from "../kit/dom.js";
import { line } from "../kit/charts.js";
import { icon } from "../kit/icons.js";
import { every, readInto } from "../kit/list.js";
import { backLink, factList, facts, pill, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, bytes, count, day, decimal, exact, isolated, moment } from "../kit/words.js";
import { PRESENCE_TONE } from "../overview/tiles.js";
import { hubNowMs, state } from "../state.js";
import { conditionNotes } from "./conditions.js";
import { kindIcon } from "./list.js";
import { manageButtons } from "./manage.js";

const LIVE_MS = 2000;
const SHOWN = 30;

const certificateState = (one, nowMs) => {
  if (one.revoked_at_ms) return t("certificate.revoked", { why: one.revoke_reason || "" });
  return one.expires_at_ms < nowMs ? t("certificate.over") : t("certificate.good");
};

const certificates = (found) => el("section", { class: "card" },
  el("h2", {}, t("certificate.title")),
  el("ul", { class: "mini-list" }, found.map((one) => el("li", {},
    el("span", {}, el("code", {}, one.serial.slice(-12)), el("br"),
      el("span", { class: "quiet" }, t("certificate.dates", { from: day(one.issued_at_ms), to: day(one.expires_at_ms) }))),
    el("span", { class: "quiet" }, certificateState(one, hubNowMs()))))));

function traffic(deviceId) {
  const total = el("span", { class: "count" });
  const chart = el("div", { class: "traffic-chart" });
  const none = el("p", { class: "quiet" }, t("traffic.none"));
  const rows = table([
    { title: t("traffic.what"), name: "main", cell: (one) => one.what || t(`traffic.kind.${one.kind}`) },
    { title: t("traffic.at"), name: "bare", cell: (one) => exact(one.at_ms) },
    { title: t("traffic.outcome"), name: "key", cell: (one) => pill(one.outcome, one.outcome === "ok" ? "good" : "warn").node },
    { title: t("traffic.size"), name: "num", cell: (one) => `${bytes(one.in_bytes)} / ${bytes(one.out_bytes)}` },
    { title: t("traffic.took"), name: "num bare", cell: (one) => t("traffic.ms", { ms: decimal(one.duration_ms) }) },
  ], t("traffic.title"));
  const node = el("section", { class: "card span-all", "aria-labelledby": "traffic-title" },
    el("h2", { id: "traffic-title" }, t("traffic.title"), total), chart, none, rows.node);
  const answered = (one) => one.kind === "request";

  async function look() {
    try {
      const found = await api.watch(`/api/1/devices/${encodeURIComponent(deviceId)}/traffic`, { limit: 100 });
      put(total, t("traffic.total", { n: found.total }));
      show(none, found.exchanges.length === 0);
      show(rows.node, found.exchanges.length > 0);
      const number = new Map(found.exchanges.map((one, index) => [one, found.total - index]));
      rows.draw(found.exchanges.slice(0, SHOWN), (one) => number.get(one));
      const points = found.exchanges.filter(answered).reverse()
        .map((one) => ({ at: one.at_ms, value: one.duration_ms }));
      redraw(chart, points, () => (points.length > 2 ? line({
        title: t("traffic.chart"),
        points,
        text: (value) => t("traffic.ms", { ms: decimal(value) }),
        when: exact,
        says: t("traffic.chart.says", {
          n: points.length, ms: decimal(Math.max(...points.map((one) => one.value))),
        }),
      }) : null));
    } catch {
      // The next look tells; a hub that is away is said at the top of the page.
    }
  }
  return { node, stop: every(LIVE_MS, look) };
}

function about(device, baskets) {
  return factList([
    [t("device.id"), isolated(device.device_id)],
    [t("device.kind"), word("kind", device.kind)],
    [t("device.model"), [device.model, device.firmware].filter(Boolean).join(" · ")],
    [t("device.number"), device.number],
    [t("device.receipts"), count(device.receipts)],
    [t("device.baskets"), baskets ? count(baskets) : ""],
    [t("device.auth"), word("auth", device.auth)],
    [t("device.paired"), moment(device.paired_at_ms)],
    [t("device.expires"), device.certificate_expires_at_ms ? day(device.certificate_expires_at_ms) : ""],
    [t("device.revokedat"), device.revoked_at_ms
      ? [moment(device.revoked_at_ms), device.revoke_reason].filter(Boolean).join(": ") : ""],
  ]);
}

export function openDetail(root, deviceId) {
  const name = el("h1", { tabindex: "-1" }, deviceId);
  const presence = pill();
  const symbol = el("span", { class: "device-icon" }, icon("box"));
  const head = el("div", { class: "page-head device-head" }, symbol, name, presence.node);
  const now = el("dl", { class: "facts" });
  const wrong = conditionNotes();
  const buttons = el("div");
  const body = el("div");
  let live = null;
  let paired = null;
  const device = () => (state.picture.devices || []).find((one) => one.device_id === deviceId);

  root.append(backLink("#/devices", t("nav.devices")), head, body);
  const reading = readInto(body, (ask) => ask(`/api/1/devices/${encodeURIComponent(deviceId)}`), (found) => {
    live?.stop();
    live = traffic(deviceId);
    put(name, found.device.name);
    paired = found.device.paired_at_ms;
    return [
      found.device.key_withdrawn && el("p", { class: "trouble" }, t("device.withdrawn")),
      el("div", { class: "board" },
        el("section", { class: "card" }, el("h2", {}, t("device.about")), wrong.node, now, about(found.device, found.baskets), buttons),
        found.certificates.length ? certificates(found.certificates) : "", live.node),
    ];
  });

  return {
    draw() {
      const one = device();
      if (!one) return;
      put(name, one.name);
      redraw(symbol, one.kind, () => icon(kindIcon(one.kind)));
      const tone = one.status === "paired" ? PRESENCE_TONE[one.presence] || "warn" : "idle";
      mark(head, "data-tone", tone);
      presence.draw(one.status === "paired" ? word("presence", one.presence) : t("device.revoked"), tone);
      facts(now, [
        [t("device.lastseen"), one.last_seen_at_ms ? ago(hubNowMs() - one.last_seen_at_ms) : t("never")],
        [t("device.who"), one.signed_in ? isolated(one.signed_in) : ""],
      ]);
      wrong.draw(one.status === "paired" ? one.conditions : [], one.conditions_since_ms);
      redraw(buttons, one.status, () => (one.status === "paired" && one.auth !== "hub" ? manageButtons(device, reading.again) : null));
      if (paired !== null && one.paired_at_ms !== paired) {
        paired = one.paired_at_ms;
        reading.refresh();
      }
    },
    close() {
      reading.stop();
      live?.stop();
    },
  };
}
