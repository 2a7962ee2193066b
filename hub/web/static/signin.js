// The door, with two ways in: the technician's code, or a staff number with its PIN.

import * as api from "./api.js";
import { el, mark, put, show } from "./kit/dom.js";
import { t } from "./kit/t.js";

const REMEMBERED = "store-hub.sign-in";

// Which way was taken here last; the choice only, never what was typed.
function lastWay() {
  try {
    return localStorage.getItem(REMEMBERED) === "pin" ? "pin" : "code";
  } catch {
    return "code";
  }
}

function remember(way) {
  try {
    localStorage.setItem(REMEMBERED, way);
  } catch {
    // A browser that keeps nothing asks for the code first.
  }
}

function field(id, label, attributes) {
  const input = el("input", { id, required: true, spellcheck: "false", "aria-describedby": "sign-in-error", ...attributes });
  return { input, nodes: [el("label", { for: id }, label), input] };
}

function byCode() {
  const code = field("code", t("signin.code"), {
    class: "code-input",
    minlength: 8,
    maxlength: 64,
    autocapitalize: "characters",
    autocomplete: "one-time-code",
    placeholder: "XXXX-XXXX",
  });
  return {
    fields: el("div", {}, code.nodes),
    inputs: [code.input],
    asked: () => ({ code: code.input.value.trim() }),
    help: el("div", { class: "sign-in-help" },
      el("h2", {}, t("signin.where")),
      el("p", { class: "quiet" }, t("signin.where.text")),
      el("p", {}, el("code", {}, "store-hub pair --technician")),
      el("p", { class: "quiet" }, t("signin.once"))),
  };
}

function byPin() {
  const number = field("staff-no", t("signin.staffno"), {
    maxlength: 32, autocapitalize: "none", autocomplete: "off",
  });
  const pin = field("pin", t("signin.pin"), {
    class: "pin-input", type: "password", inputmode: "numeric", minlength: 4, maxlength: 12, autocomplete: "off",
  });
  return {
    fields: el("div", {}, number.nodes, pin.nodes),
    inputs: [number.input, pin.input],
    asked: () => ({ staff_no: number.input.value.trim(), pin: pin.input.value }),
    help: el("div", { class: "sign-in-help" },
      el("h2", {}, t("signin.which")),
      el("p", { class: "quiet" }, t("signin.which.text"))),
  };
}

// Shows the form in `root`; done() once the hub let somebody in.
export function showSignIn(root, text, done) {
  const ways = { code: byCode(), pin: byPin() };
  let way = lastWay();
  const error = el("p", { class: "error", role: "alert", id: "sign-in-error" });
  const submit = el("button", { type: "submit", class: "primary" }, t("signin.submit"));

  const complain = (sentence) => {
    put(error, sentence);
    for (const input of ways[way].inputs) mark(input, "aria-invalid", String(Boolean(sentence)));
  };
  const choose = (wanted, focus = false) => {
    way = wanted;
    for (const [name, one] of Object.entries(ways)) {
      show(one.fields, name === way);
      show(one.help, name === way);
      for (const input of one.inputs) input.disabled = name !== way;
    }
    complain("");
    if (focus) ways[way].inputs[0].focus();
  };
  const choice = (name, label) => el("label", { class: "door-way" },
    el("input", {
      type: "radio", name: "way", value: name, id: `way-${name}`, checked: name === way,
      on: { change: () => choose(name) },
    }),
    el("span", {}, label));

  const form = el("form", { id: "sign-in-form", autocomplete: "off" },
    el("fieldset", { class: "door-ways" },
      el("legend", { class: "visually-hidden" }, t("signin.how")),
      choice("code", t("signin.onetime")),
      choice("pin", t("signin.staffpin"))),
    ways.code.fields, ways.pin.fields, error, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain("");
    submit.disabled = true;
    const last = ways[way].inputs.at(-1);
    try {
      await api.signIn(ways[way].asked());
      remember(way);
      done();
    } catch (refused) {
      complain(refused.status === 401 ? t("signin.wrong") : refused.message);
      if (way === "pin") last.value = "";
      last.focus();
    } finally {
      submit.disabled = false;
    }
  });
  root.replaceChildren(el("section", { id: "sign-in", class: "sign-in card", "aria-labelledby": "sign-in-title" },
    el("h1", { id: "sign-in-title" }, t("signin.title")),
    el("p", { class: "quiet" }, t("signin.lead")),
    form, ways.code.help, ways.pin.help));
  choose(way, true);
  put(error, text);
}
