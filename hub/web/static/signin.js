// The door: the technician's code.

import * as api from "./api.js";
import { el } from "./kit/dom.js";
import { t } from "./kit/t.js";

// Shows the form in `root`; done() once the code was right.
export function showSignIn(root, text, done) {
  const error = el("p", { class: "error", role: "alert", id: "sign-in-error" });
  const code = el("input", {
    id: "code",
    name: "code",
    class: "code-input",
    required: true,
    minlength: 8,
    maxlength: 64,
    autocapitalize: "characters",
    autocomplete: "one-time-code",
    spellcheck: "false",
    placeholder: "XXXX-XXXX",
    "aria-describedby": "sign-in-error",
  });
  const submit = el("button", { type: "submit", class: "primary" }, t("signin.submit"));
  const form = el("form", { id: "sign-in-form", autocomplete: "off" },
    el("label", { for: "code" }, t("signin.code")), code, error, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    submit.disabled = true;
    try {
      await api.signIn(code.value);
      done();
    } catch (refused) {
      error.textContent = refused.message;
    } finally {
      submit.disabled = false;
    }
  });
  root.replaceChildren(el("section", { id: "sign-in", class: "sign-in card", "aria-labelledby": "sign-in-title" },
    el("h1", { id: "sign-in-title" }, t("signin.title")),
    el("p", {}, t("signin.lead")),
    form,
    el("div", { class: "sign-in-help" },
      el("h2", {}, t("signin.where")),
      el("p", { class: "quiet" }, t("signin.where.text")),
      el("p", {}, el("code", {}, "store-hub pair --technician")),
      el("p", { class: "quiet" }, t("signin.once")))));
  error.textContent = text;
  code.focus();
}
