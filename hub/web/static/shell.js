// The frame around all pages: heading, navigation, the line that says the hub is away.

import { el, mark, put, show } from "./kit/dom.js";
import { icon } from "./kit/icons.js";
import { t } from "./kit/t.js";
import { clock, isolated } from "./kit/words.js";
import { countOf } from "./overview/verdict.js";
import { changesNothing, myRole } from "./me.js";
import { drillBanner } from "./outages/drill.js";
import { state } from "./state.js";

const by = (id) => document.getElementById(id);
const IN_BAR = 4;

let links = new Map();
let more = null;
let badge = null;
let drill = null;

function link(page) {
  const text = el("span", { class: "nav-text" }, t(`nav.${page.id}`));
  const made = el("a", { href: `#/${page.id}`, class: "nav-link", "data-page": page.id },
    icon(page.icon), text);
  links.set(page.id, made);
  return el("li", {}, made);
}

function opened(open) {
  by("nav").classList.toggle("open", open);
  mark(more, "aria-expanded", String(open));
}

export function build(pages) {
  put(by("skip"), t("skip"));
  put(by("sign-out"), t("signout"));
  links = new Map();
  const rest = pages.slice(IN_BAR);
  more = el("button", {
    type: "button", class: "nav-link nav-more", "aria-expanded": "false", "aria-controls": "nav-rest",
    on: { click: () => opened(!by("nav").classList.contains("open")) },
  }, icon("more"), el("span", { class: "nav-text" }, t("nav.more")));
  drill = drillBanner(by("drill"));
  const nav = by("nav");
  mark(nav, "aria-label", t("nav.label"));
  nav.replaceChildren(
    el("ul", { class: "nav-list" }, pages.slice(0, IN_BAR).map(link)),
    rest.length ? more : "",
    el("ul", { class: "nav-list nav-rest", id: "nav-rest" }, rest.map(link)),
  );
  badge = el("span", { class: "nav-badge", hidden: true });
  links.get("overview").append(badge);
  nav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    opened(false);
    more.focus();
  });
  document.addEventListener("click", (event) => {
    if (!nav.contains(event.target)) opened(false);
  });
}

export function choose(pageId) {
  opened(false);
  let inBar = false;
  [...links].forEach(([id, node], index) => {
    if (id === pageId) {
      node.setAttribute("aria-current", "page");
      inBar = index < IN_BAR;
    } else {
      node.removeAttribute("aria-current");
    }
  });
  more.classList.toggle("here", !inBar);
}

// Signed in, or not: what of the frame is there.
export function frame(signedIn) {
  document.body.classList.toggle("in", signedIn);
  show(by("nav"), signedIn);
  show(by("sign-out"), signedIn);
  if (signedIn) return;
  put(by("store-sub"), "");
  document.body.classList.remove("stale");
  show(by("lost"), false);
  drill.close();
}

export function drawShell() {
  const { picture, connected } = state;
  if (!picture) return;
  put(by("store-name"), picture.store_name);
  put(by("store-sub"), [t("store", { store: isolated(picture.store) }),
    picture.training ? t("training") : "", changesNothing() ? t("role.looks", { role: myRole() }) : myRole()].filter(Boolean).join(" · "));
  const health = picture.health;
  const bad = countOf(picture);
  const tone = health?.verdict === "critical" ? "bad" : health?.verdict === "notice" ? "notice" : "warn";
  show(badge, bad > 0);
  put(badge, bad);
  mark(badge, "data-tone", tone);
  mark(badge, "aria-label", t("nav.badge", { n: bad }));
  document.body.classList.toggle("stale", !connected);
  show(by("lost"), !connected);
  if (!connected) put(by("lost"), t("lost", { time: clock(state.receivedMs) }));
  drill.draw(picture);
}

export const lostBeforeAnything = () => {
  show(by("lost"), true);
  put(by("lost"), t("lost.first"));
};
