// Questions, forms and short messages.

import { el } from "./dom.js";
import { freshId } from "./parts.js";
import { t } from "./t.js";
import { icon } from "./icons.js";

// Opens a dialog; its content comes from build(close).  Gone from the page once closed.
export function openDialog(title, build, closed = () => {}) {
  const id = freshId("dialog");
  const heading = el("h2", { id }, title);
  const body = el("div", { class: "dialog-body" }, heading);
  const dialog = el("dialog", { "aria-labelledby": id }, body);
  const close = () => dialog.close();
  body.append(...[build(close, dialog)].flat().filter(Boolean));
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, heading, body, close };
}

// Asks whether to go on: true, or false however it was closed.
export function ask({ title, text, yes, no = t("cancel"), tone = "primary" }) {
  return new Promise((resolve) => {
    let answer = false;
    openDialog(title, (close) => [
      ...[text].flat().filter(Boolean).map((one) => el("p", {}, one)),
      el("div", { class: "dialog-buttons" },
        el("button", { type: "button", class: "plain", on: { click: close } }, no),
        el("button", {
          type: "button",
          class: tone,
          on: { click: () => { answer = true; close(); } },
        }, yes)),
    ], () => resolve(answer));
  });
}

export function field(one) {
  const id = freshId("field");
  const hint = one.hint ? freshId("hint") : null;
  const attributes = {
    id,
    name: one.name,
    required: one.required,
    maxlength: one.maxlength,
    placeholder: one.placeholder,
    type: one.options ? null : one.type || "text",
    inputmode: one.inputmode,
    min: one.min,
    max: one.max,
    "aria-describedby": hint,
    autocomplete: "off",
  };
  const input = one.options
    ? el("select", attributes, one.options.map(([value, text]) => el("option", { value }, text)))
    : el("input", attributes);
  if (one.value !== undefined) input.value = one.value;
  return [el("label", { for: id }, one.label), input,
    hint && el("p", { class: "quiet", id: hint }, one.hint)];
}

// A form in a dialog; act(values, close) may throw what the hub refused.
export function form({ title, text, fields, yes, no = t("cancel"), tone = "primary", act }) {
  return openDialog(title, (close) => {
    const error = el("p", { class: "error", role: "alert" });
    const submit = el("button", { type: "submit", class: tone }, yes);
    const made = el("form", { novalidate: false }, text && el("p", {}, text),
      fields.map(field).flat(), error,
      el("div", { class: "dialog-buttons" },
        el("button", { type: "button", class: "plain", on: { click: close } }, no), submit));
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      error.textContent = "";
      submit.disabled = true;
      try {
        const values = Object.fromEntries(new FormData(made));
        for (const key of Object.keys(values)) values[key] = values[key].trim();
        await act(values, close);
      } catch (refused) {
        error.textContent = refused.message;
      } finally {
        submit.disabled = false;
      }
    });
    return made;
  });
}

const STAYS_MS = 12000;

// A short message at the edge of the screen: what came of something.
export function say(text, tone = "good") {
  const tray = document.getElementById("tray");
  const node = el("div", { class: "toast", "data-tone": tone },
    icon(tone === "good" ? "ok" : "warning"), el("p", {}, text),
    el("button", {
      type: "button", class: "toast-close", "aria-label": t("close"),
      on: { click: () => node.remove() },
    }, icon("close")));
  tray.append(node);
  while (tray.children.length > 3) tray.firstElementChild.remove();
  setTimeout(() => node.remove(), STAYS_MS);
}
