// Finding peripherals: what is there and could be set up, one press to take over.

import * as api from "../api.js";
import { openDialog, say } from "../kit/dialog.js";
import { el } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { button, pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated } from "../kit/words.js";
import { kindIcon, knownDrivers, placeOf } from "./words.js";

const TIMEOUT_S = 8;

// The first of printer-1, printer-2, … that is free.
export function freeId(kind, taken) {
  let number = 1;
  while (taken.includes(`${kind}-${number}`)) number += 1;
  return `${kind}-${number}`;
}

async function takeOver(found, kind, all, close) {
  const id = freeId(kind, all().map((one) => one.id));
  await api.change("peripheral", "configure", {
    id, driver: found.driver, address: found.address, name: found.title.slice(0, 60),
  });
  close();
  say(t("find.done", { name: found.title }));
  location.hash = placeOf(id);
}

function row(found, kind, all, close) {
  const error = el("p", { class: "error", role: "alert", hidden: true });
  const use = button(t("find.use"), "primary small", async () => {
    use.disabled = true;
    error.hidden = true;
    try {
      await takeOver(found, kind, all, close);
    } catch (refused) {
      error.textContent = refused.message;
      error.hidden = false;
    } finally {
      use.disabled = false;
    }
  }, { "aria-label": t("find.use.one", { name: found.title }) });
  return el("li", { class: "found" },
    el("span", { class: "device-icon" }, icon(kindIcon(kind))),
    el("div", {}, el("strong", {}, found.title), el("p", { class: "quiet" },
      [word("kind", kind), isolated(found.address), found.detail].filter(Boolean).join(" · ")), error),
    found.known_as
      ? el("a", { href: placeOf(found.known_as), on: { click: close } }, pill(t("find.known"), "good").node)
      : use);
}

export function askFind(all) {
  const body = el("div", { class: "found-body" });
  async function look(close) {
    body.replaceChildren(el("p", { class: "waiting", role: "status" }, t("find.looking")));
    try {
      const [{ found }, drivers] = await Promise.all([
        api.post("/api/1/peripheral/find", { timeout_s: TIMEOUT_S }), knownDrivers(),
      ]);
      const kinds = new Map(drivers.map((one) => [one.key, one.kind]));
      body.replaceChildren(found.length
        ? el("ul", { class: "found-list" }, found.map((one) => row(one, kinds.get(one.driver) || "printer", all, close)))
        : el("p", { role: "status" }, t("find.none")));
    } catch (refused) {
      if (refused.status !== 401) body.replaceChildren(el("p", { class: "error", role: "alert" }, refused.message));
    }
  }
  openDialog(t("find.title"), (close) => {
    look(close);
    return [
      el("p", { class: "quiet" }, t("find.lead")), body,
      el("div", { class: "dialog-buttons" }, button(t("find.again"), "plain", () => look(close)),
        button(t("close"), "primary", close)),
    ];
  });
}
