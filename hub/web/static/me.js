// Who is signed in and what they may change.  The hub decides; the page only offers what it allows.

import * as api from "./api.js";
import { el } from "./kit/dom.js";
import { icon } from "./kit/icons.js";
import { t, word } from "./kit/t.js";

let known = null;

// Asks the hub, for the role may change.  A hub that never told is taken to allow everything: it
// refuses by itself.
export async function learn() {
  try {
    known = await api.read("/api/1/me");
  } catch (error) {
    if (error.status === 401) throw error;
  }
}

export const forgetMe = () => { known = null; };

export const may = (what) => known === null || known.may.includes(what);

// Which right an action takes; the hub goes by the same family of its key.
export const rightFor = (key) => (key.startsWith("drill.") ? "drill" : "actions");

export const myRole = () => (known ? word("role", known.role) : "");

// The support file is only read.
export const changesNothing = () => known !== null && known.may.every((one) => one === "support");

// Who may, for whoever may not.
export const mayNot = (what) => el("p", { class: "who-may quiet" }, icon("lock"), el("span", {}, t(`who.${what}`)));

// What is offered to those who may; the others read who does.
export const ifMay = (what, offered, otherwise = () => mayNot(what)) => (may(what) ? offered() : otherwise());
