// What is done to a device: another name, a new key, away with it.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { form, say } from "../kit/dialog.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { ifMay } from "../me.js";
import { askKey } from "./pairing.js";

function askName(device, done) {
  form({
    title: t("rename.title", { name: device.name }),
    fields: [{ name: "name", label: t("rename.name"), value: device.name, required: true, maxlength: 60 }],
    yes: t("rename.yes"),
    act: async ({ name }, close) => {
      await api.change("device", "rename", { device_id: device.device_id, name });
      close();
      say(t("rename.done", { name }));
      done();
    },
  });
}

function askRevoke(device, done) {
  form({
    title: t("revoke.title", { name: device.name }),
    text: t("revoke.lead"),
    fields: [{ name: "reason", label: t("revoke.why"), required: true, maxlength: 200, placeholder: t("revoke.example") }],
    yes: t("revoke.yes"),
    no: t("revoke.no"),
    tone: "danger",
    act: async ({ reason }, close) => {
      await api.change("device", "revoke", { device_id: device.device_id, reason });
      close();
      say(t("revoke.done", { name: device.name }));
      done();
    },
  });
}

// Buttons for the device that `which()` names when they are pressed.
export const manageButtons = (which, done = () => {}) => ifMay("devices", () => el("div", { class: "buttons" },
  button(t("rename.button"), "plain small", () => askName(which(), done)),
  ifMay("pairing", () => button(t("rekey.button"), "plain small", () => askKey(which())), () => ""),
  button(t("revoke.button"), "danger small", () => askRevoke(which(), done))));
