// Pairing: asking what it is, showing the code until a device has come.

import * as api from "../api.js";
import { el, put } from "../kit/dom.js";
import { form, openDialog } from "../kit/dialog.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { span } from "../kit/words.js";
import { state } from "../state.js";

const KINDS = ["till", "kiosk", "scanner", "printer", "display", "service"];
const TICK_MS = 500;

export function askPairing() {
  form({
    title: t("pair.title"),
    text: t("pair.lead"),
    fields: [
      { name: "kind", label: t("pair.kind"), options: KINDS.map((one) => [one, t(`kind.${one}`)]) },
      { name: "name", label: t("pair.name"), maxlength: 60, placeholder: t("pair.name.example") },
    ],
    yes: t("pair.show"),
    act: async ({ kind, name }, close) => {
      const known = paired();
      const opened = await api.openPairing({ kind, name });
      close();
      showCode(opened, known, null);
    },
  });
}

export function askKey(device) {
  form({
    title: t("rekey.title", { name: device.name }),
    text: t("rekey.lead"),
    fields: [{
      name: "cut",
      label: t("rekey.old"),
      options: [["no", t("rekey.keep")], ["yes", t("rekey.cut")]],
    }],
    yes: t("pair.show"),
    act: async ({ cut }, close) => {
      const known = paired();
      const opened = await api.openPairing({
        rekey_device_id: device.device_id, ...(cut === "yes" ? { cut_off: true } : {}),
      });
      close();
      showCode(opened, known, device.device_id);
    },
  });
}

const paired = () =>
  new Map((state.picture?.devices || []).map((one) => [one.device_id, one.paired_at_ms]));

// The QR is the hub's own drawing: a document, not markup of this page.
function drawing(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("pair.qr"));
  return document.importNode(svg, true);
}

function showCode(opened, known, rekeyed) {
  const endsMs = Date.now() + opened.expires_in_s * 1000;
  const said = el("p", { class: "center", id: "pair-state", role: "status" });

  function look() {
    const fresh = (state.picture?.devices || []).find((one) => one.status === "paired"
      && one.paired_at_ms !== known.get(one.device_id)
      && (!rekeyed || rekeyed === one.device_id));
    const leftMs = endsMs - Date.now();
    if (fresh) put(said, t("pair.done", { name: fresh.name, id: fresh.device_id }));
    else if (leftMs > 0) put(said, t("pair.waiting", { span: span(leftMs) }));
    else put(said, t("pair.over"));
  }

  const timer = setInterval(look, TICK_MS);
  openDialog(t("pair.code.title"), (close) => [
    el("div", { class: "qr", id: "pair-qr" }, drawing(opened.qr_svg)),
    el("p", { class: "big-code", id: "pair-code", dir: "ltr" }, opened.code),
    el("p", { class: "center quiet" }, t("pair.where", { url: opened.url })),
    said,
    el("div", { class: "dialog-buttons" }, button(t("done"), "primary", close)),
  ], () => clearInterval(timer));
  look();
}
