// All devices with their state; what is wrong comes first.

import { el, keyed, mark, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { searchBox } from "../kit/list.js";
import { button, empty, fold, heading, pill } from "../kit/parts.js";
import { locale, t, word } from "../kit/t.js";
import { ago, isolated } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { PRESENCE_TONE } from "../overview/tiles.js";
import { hubNowMs, state } from "../state.js";
import { conditions, worst } from "./conditions.js";
import { manageButtons } from "./manage.js";
import { askPairing } from "./pairing.js";

const MANY = 8;
const KNOWN_KINDS = ["till", "kiosk", "scanner", "printer", "display", "service", "drawer", "scale",
  "terminal"];
export const kindIcon = (kind) => (KNOWN_KINDS.includes(kind) ? kind : "box");

const said = (device, nowMs) => [
  word("kind", device.kind),
  isolated(device.device_id),
  device.model,
  device.signed_in ? t("device.signedin", { who: isolated(device.signed_in) }) : "",
  device.presence !== "ready" && device.last_seen_at_ms
    ? t("device.seen", { ago: ago(nowMs - device.last_seen_at_ms) }) : "",
].filter(Boolean).join(" · ");

function row(first) {
  let device = first;
  const name = el("h2", { class: "device-name" });
  const link = el("a", { href: `#/devices/${encodeURIComponent(first.device_id)}` });
  name.append(link);
  const sub = el("p", { class: "device-sub" });
  const state = pill();
  const wrong = conditions();
  const menu = first.status === "paired" && may("devices")
    ? el("div", { class: "device-menu" }, fold(t("device.manage"), manageButtons(() => device))) : "";
  const node = el("li", { class: "device", "data-device": first.device_id },
    el("span", { class: "device-icon" }, icon(kindIcon(first.kind))), name, state.node, sub, wrong.node, menu);
  const summary = node.querySelector("summary");
  return {
    node,
    draw(now) {
      device = now;
      const revoked = now.status !== "paired";
      put(link, now.name);
      put(sub, said(now, hubNowMs()));
      const tone = revoked ? "idle" : PRESENCE_TONE[now.presence] || "warn";
      state.draw(revoked ? t("device.revoked") : word("presence", now.presence), tone);
      mark(node, "data-tone", ["", "", "warn", "bad"][worst(now.conditions)] || tone);
      wrong.draw(revoked ? [] : now.conditions);
      if (summary) mark(summary, "aria-label", t("device.manage.one", { name: now.name }));
    },
  };
}

const URGENCY = ["lost", "init", "unknown", "ready", "sleeping", "disconnected"];
const order = (a, b) => worst(b.conditions) - worst(a.conditions) || URGENCY.indexOf(a.presence) - URGENCY.indexOf(b.presence)
  || a.name.localeCompare(b.name, locale, { numeric: true }) || a.device_id.localeCompare(b.device_id);
const fits = (device, wanted) => `${device.name} ${device.device_id} ${device.kind}`.toLowerCase()
  .includes(wanted.toLowerCase());

export function openList(root) {
  let wanted = "";
  const lead = el("p", { class: "page-lead" });
  const list = el("ul", { class: "device-list", id: "device-list" });
  const nothing = el("div");
  const search = searchBox(t("devices.search"), t("devices.search"), (text) => {
    wanted = text;
    draw();
  });
  const revokedList = el("ul", { class: "device-list" });
  const revokedTitle = el("span");
  const revoked = fold("", revokedList);
  revoked.classList.add("revoked");
  revoked.querySelector("summary span").replaceWith(revokedTitle);

  function draw() {
    const all = state.picture.devices.filter((one) => one.auth !== "hub"); // those have a page of their own
    const paired = all.filter((one) => one.status === "paired");
    const gone = all.filter((one) => one.status !== "paired");
    const shown = paired.filter((one) => fits(one, wanted)).sort(order);
    const online = paired.filter((one) => one.presence === "ready").length;
    put(lead, paired.length ? t("devices.online", { online, n: paired.length }) : "");
    show(lead, paired.length > 0);
    show(search.node.parentElement, paired.length > MANY);
    keyed(list, shown, (one) => `${one.device_id} ${one.paired_at_ms}`, row);
    redraw(nothing, [paired.length === 0, shown.length === 0], () => {
      if (!paired.length) return empty(t("devices.none"), t("devices.none.hint"));
      return shown.length ? null : empty(t("search.nothing"));
    });
    show(revoked, gone.length > 0);
    put(revokedTitle, t("devices.revoked", { n: gone.length }));
    keyed(revokedList, gone, (one) => `${one.device_id} ${one.paired_at_ms}`, row);
  }

  root.append(
    heading(t("nav.devices"), may("pairing") ? button(t("pair.title"), "primary", askPairing, { id: "pair" }) : ""),
    may("pairing") ? "" : mayNot("pairing"), lead, el("div", { class: "tools" }, search.node), list, nothing, revoked,
  );
  return { draw };
}
