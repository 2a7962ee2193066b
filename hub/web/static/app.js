// The page: sign-in, the live board, and what a technician does on it.

import * as api from "./api.js";
import { show } from "./view.js";
import { span } from "./text.js";

const by = (id) => document.getElementById(id);
const AWAY_MS = 60000;

let stop = null;
let picture = null;
let hubAheadMs = 0;
let pairing = null;
let chosen = null;

const hubNowMs = () => Date.now() + hubAheadMs;

function toSignIn(text = "") {
  stop?.();
  stop = null;
  picture = null;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  by("board").hidden = true;
  by("sign-out").hidden = true;
  by("lost").hidden = true;
  by("sign-in").hidden = false;
  by("sign-in-error").textContent = text;
  by("code").value = "";
  by("code").focus();
}

function toBoard() {
  by("sign-in").hidden = true;
  by("sign-out").hidden = false;
  stop?.();
  stop = api.follow({
    status: (news) => {
      by("lost").hidden = true;
      by("board").hidden = false;
      hubAheadMs = news.time_ms - Date.now();
      picture = news;
      draw();
    },
    lost: () => { by("lost").hidden = false; },
    signedOut: () => toSignIn("You were signed out. Sign in with a new code."),
  });
}

function draw() {
  if (!picture) return;
  show(picture, hubNowMs(), [
    ["Rename", "plain", askName],
    ["New key", "plain", askKey],
    ["Revoke", "danger", askRevoke],
  ]);
  drawPairing();
}

// Forms -------------------------------------------------------------------------------------------

function onSubmit(form, errorId, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = by(errorId);
    const button = form.querySelector("button[type=submit]");
    error.textContent = "";
    button.disabled = true;
    try {
      await act(new FormData(form));
    } catch (refused) {
      if (refused.status === 401) toSignIn("You were signed out. Sign in with a new code.");
      else error.textContent = refused.message;
    } finally {
      button.disabled = false;
    }
  });
}

onSubmit(by("sign-in-form"), "sign-in-error", async (fields) => {
  await api.signIn(fields.get("code"));
  toBoard();
});

by("sign-out").addEventListener("click", async () => {
  try {
    await api.signOut();
    toSignIn();
  } catch (refused) {
    toSignIn(refused.status === 401 ? "" : refused.message);
  }
});

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

// Pairing -----------------------------------------------------------------------------------------

by("pair").addEventListener("click", () => {
  pairing = null;
  by("pair-form").reset();
  by("pair-error").textContent = "";
  by("pair-form").hidden = false;
  by("pair-code").hidden = true;
  by("pair-dialog").showModal();
});

onSubmit(by("pair-form"), "pair-error", async (fields) => {
  const opened = await api.openPairing({ kind: fields.get("kind"), name: fields.get("name").trim() });
  showCode(opened, null);
});

by("pair-dialog").addEventListener("close", () => {
  pairing = null;
  by("pair-code-text").textContent = "";
  by("pair-qr").replaceChildren();
});

function showCode(opened, rekeyed) {
  pairing = {
    endsMs: Date.now() + opened.expires_in_s * 1000,
    openedMs: hubNowMs(),
    known: new Map((picture?.devices || []).map((one) => [one.device_id, one.paired_at_ms])),
    rekeyed,
  };
  by("pair-form").hidden = true;
  by("pair-code").hidden = false;
  by("pair-code-text").textContent = opened.code;
  by("pair-where").textContent = `at ${opened.url}`;
  const svg = new DOMParser().parseFromString(opened.qr_svg, "image/svg+xml").documentElement;
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "QR code with the hub's address and the pairing code");
  by("pair-qr").replaceChildren(document.importNode(svg, true));
  drawPairing();
  if (!by("pair-dialog").open) by("pair-dialog").showModal();
}

function drawPairing() {
  if (!pairing) return;
  const fresh = (picture?.devices || []).find((one) => one.status === "paired"
    && one.paired_at_ms !== pairing.known.get(one.device_id)
    && (!pairing.rekeyed || pairing.rekeyed === one.device_id));
  const leftMs = pairing.endsMs - Date.now();
  let text = `Waiting for the device. Valid for ${span(leftMs)}.`;
  if (leftMs <= 0) text = "This code has expired. Close this and open pairing again.";
  if (fresh) text = `${fresh.name} (${fresh.device_id}) is paired.`;
  if (by("pair-state").textContent !== text) by("pair-state").textContent = text;
}

// Devices -----------------------------------------------------------------------------------------

function askName(device) {
  chosen = device;
  by("rename-title").textContent = `Rename ${device.name}`;
  by("rename-error").textContent = "";
  by("rename-name").value = device.name;
  by("rename-dialog").showModal();
}

onSubmit(by("rename-form"), "rename-error", async (fields) => {
  await api.change("device", "rename", { device_id: chosen.device_id, name: fields.get("name").trim() });
  by("rename-dialog").close();
});

function askRevoke(device) {
  chosen = device;
  by("revoke-title").textContent = `Revoke ${device.name}?`;
  by("revoke-error").textContent = "";
  by("revoke-form").reset();
  by("revoke-dialog").showModal();
}

onSubmit(by("revoke-form"), "revoke-error", async (fields) => {
  await api.change("device", "revoke", { device_id: chosen.device_id, reason: fields.get("reason").trim() });
  by("revoke-dialog").close();
});

async function askKey(device) {
  try {
    const opened = await api.openPairing({
      kind: device.kind, name: device.name, rekey_device_id: device.device_id,
    });
    showCode(opened, device.device_id);
  } catch (refused) {
    if (refused.status === 401) toSignIn("You were signed out. Sign in with a new code.");
    else window.alert(refused.message);
  }
}

// Life --------------------------------------------------------------------------------------------

setInterval(draw, 1000);

let saidHereMs = 0;
function here() {
  if (!stop || Date.now() - saidHereMs < AWAY_MS) return;
  saidHereMs = Date.now();
  api.session().then((found) => { if (!found) toSignIn("You were signed out."); }, () => {});
}
for (const what of ["pointerdown", "keydown"]) document.addEventListener(what, here, { passive: true });

api.session().then(
  (found) => (found ? toBoard() : toSignIn()),
  (refused) => toSignIn(refused.message),
);
