// Support: one file for whoever helps from afar, shown whole before it is saved.

import * as api from "../api.js";
import { form, say } from "../kit/dialog.js";
import { el } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { readInto } from "../kit/list.js";
import { button, fold, heading, pill } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { bytes, moment } from "../kit/words.js";
import { may, mayNot } from "../me.js";

const SHOWN = 20000;

function file(one) {
  const long = one.text.length > SHOWN;
  return el("li", {}, fold(one.title,
    el("p", { class: "quiet" }, `${one.name} · ${bytes(one.bytes)}`, one.cut ? ` · ${t("support.cut")}` : ""),
    el("pre", { class: "code-block", tabindex: "0", "aria-label": one.title, dir: "ltr" },
      long ? `${one.text.slice(0, SHOWN)}…` : one.text),
    long && el("p", { class: "quiet" }, t("support.long"))));
}

function build(found, again) {
  const link = el("a", {
    class: "button primary", download: found.file_name,
    href: `/api/1/support/bundle?bundle_id=${encodeURIComponent(found.bundle_id)}`,
  }, icon("download"), t("support.save"));
  return el("div", { class: "board two" },
    el("section", { class: "card" },
      el("h2", {}, t("support.bundle"), pill(bytes(found.total_bytes), "idle").node),
      el("p", { class: "lead" }, t("support.made", { time: moment(found.made_at_ms), name: found.file_name })),
      el("div", { class: "buttons" }, link, button(t("support.again"), "plain", again)),
      el("p", { class: "quiet" }, t("support.how"))),
    el("section", { class: "card" }, el("h2", {}, t("support.leftout")),
      el("ul", { class: "bullets" }, found.left_out.map((one) => el("li", {}, one)))),
    el("section", { class: "card span-all" }, el("h2", {}, t("support.files")),
      el("ul", { class: "file-list" }, found.files.map(file))));
}

function askClear() {
  form({
    title: t("lockout.title"),
    fields: [{ name: "number", label: t("signin.staffno"), required: true, maxlength: 32 }],
    yes: t("lockout.yes"),
    act: async ({ number }, close) => {
      await api.change("staff", "clear-lockout", { staff_id: number });
      close();
      say(t("lockout.done", { number }));
    },
  });
}

const lockedOut = () => el("section", { class: "card page-part" }, el("h2", {}, t("lockout.title")),
  el("p", {}, t("lockout.lead")),
  el("div", { class: "buttons" }, button(t("lockout.button"), "plain small", askClear, { id: "clear-lockout" })));

function open(root) {
  const body = el("div");
  root.append(heading(t("nav.support")), el("p", { class: "page-lead" }, t("support.lead")), body,
    may("staff") ? lockedOut() : "");
  if (!may("support")) {
    body.append(mayNot("support"));
    return {};
  }
  const reading = readInto(body, () => api.read("/api/1/support/preview"), (found) => build(found, () => reading.again()));
  return { close: reading.stop };
}

export const page = { id: "support", icon: "support", open };
