// What all of the peripherals' pages say the same way.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { every } from "../kit/list.js";
import { t, word } from "../kit/t.js";
import { isolated } from "../kit/words.js";
import { state } from "../state.js";

const PHASE_TONE = { ready: "good", claiming: "notice", lost: "bad", refused: "bad" };
const ICONS = {
  printer: "printer", drawer: "drawer", scanner: "scanner", scale: "scale", display: "display", terminal: "terminal",
};

export const phaseTone = (one) => PHASE_TONE[one.phase] || "warn";
export const kindIcon = (kind) => ICONS[kind] || "box";
export const nameOf = (one) => one.name || one.id;
export const placeOf = (id) => `#/peripherals/${encodeURIComponent(id)}`;
export const linkOf = (id, all = []) =>
  el("a", { href: placeOf(id) }, nameOf(all.find((one) => one.id === id) || { id }));

// A device's name where it is known.
export function deviceName(deviceId) {
  const found = (state.picture?.devices || []).find((one) => one.device_id === deviceId);
  return found ? found.name : isolated(deviceId);
}

export const tills = () => (state.picture?.devices || []).filter((one) =>
  one.status === "paired" && one.auth !== "hub" && ["till", "kiosk"].includes(one.kind));

export const servesOf = (one) => (one.serves.length
  ? one.serves.map(deviceName).join(", ") : t("peripheral.serves.all"));

export const capabilities = (names) => names.map((one) => {
  const known = word("capability", one);
  return known === one ? one.replaceAll("-", " ") : known;
});

const LIVE_MS = 2000;

// Reads them every two seconds: drawn(found), or failed(error).
export function follow(drawn, failed) {
  let over = false;
  let first = true;
  async function look() {
    try {
      const found = await (first ? api.read : api.watch)("/api/1/peripherals");
      first = false;
      if (!over) drawn(found);
    } catch (error) {
      if (!over && error.status !== 401) failed(error);
    }
  }
  const stop = every(LIVE_MS, look);
  return { look, stop: () => { over = true; stop(); } };
}

let drivers = null;

// What the hub can drive; asked once.
export async function knownDrivers() {
  drivers ||= (await api.post("/api/1/peripheral/drivers")).drivers;
  return drivers;
}
