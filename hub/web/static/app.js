// The page: who is signed in, which page is shown, and the hub's picture for it.

import * as api from "./api.js";
import { say } from "./kit/dialog.js";
import { el } from "./kit/dom.js";
import { waiting } from "./kit/parts.js";
import { speak, t } from "./kit/t.js";
import { countOf } from "./overview/verdict.js";
import { forgetMe, learn } from "./me.js";
import { pages } from "./pages/index.js";
import * as shell from "./shell.js";
import { showSignIn } from "./signin.js";
import { forget, state, take } from "./state.js";

const AWAY_MS = 60000;
const main = document.getElementById("main");

let stop = null;
let current = null;
let shownHash = null;

function leave() {
  current?.view.close?.();
  current = null;
  shownHash = null;
}

// The address: #/page/what.
function wanted() {
  const [id, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const page = pages.find((one) => one.id === id) || pages[0];
  return { page, what: rest.map(plain).join("/") };
}

// An address typed by hand may be anything.
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function route() {
  if (!state.picture || location.hash === shownHash) return;
  const { page, what } = wanted();
  const again = current !== null;
  leave();
  shownHash = location.hash;
  const root = el("div", { class: `page page-${page.id}`, id: `page-${page.id}` });
  main.replaceChildren(root);
  current = { page, view: page.open(root, what) };
  shell.choose(page.id);
  draw();
  if (again) {
    window.scrollTo(0, 0);
    (root.querySelector("h1") || main).focus({ preventScroll: true });
  }
}

function draw() {
  if (!state.picture) return;
  shell.drawShell();
  current?.view.draw?.();
  title();
}

function title() {
  const { picture } = state;
  const bad = countOf(picture);
  const name = current ? `${t(`nav.${current.page.id}`)} · ${picture.store_name}` : picture.store_name;
  const text = bad ? `(${bad}) ${name}` : name;
  if (document.title !== text) document.title = text;
}

function toSignIn(text = "") {
  stop?.();
  stop = null;
  leave();
  forget();
  forgetMe();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  document.getElementById("tray").replaceChildren();
  shell.frame(false);
  document.title = t("signin.title");
  showSignIn(main, text, toBoard);
}

const isIn = () => document.body.classList.contains("in");

// Several answers may say so at once, and late ones while somebody types at the door.
function toldSignedOut() {
  if (isIn()) toSignIn(t("signedout"));
}

async function toBoard() {
  stop?.();
  main.replaceChildren(waiting());
  shell.frame(true);
  try {
    await learn();
  } catch {
    return; // Signed out: the door is shown already.
  }
  if (!isIn()) return;
  stop?.();
  stop = api.follow({
    status: (picture) => {
      take(picture);
      route();
      draw();
    },
    lost: () => {
      state.connected = false;
      if (state.picture) draw();
      else shell.lostBeforeAnything();
    },
    signedOut: toldSignedOut,
  });
}

document.getElementById("sign-out").addEventListener("click", async () => {
  try {
    await api.signOut();
    toSignIn();
  } catch (refused) {
    // Who wasn't signed out isn't shown the door: the session goes on.
    if (refused.status === 401) toSignIn();
    else say(refused.message, "bad");
  }
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

let saidHereMs = 0;
function here() {
  if (!stop || Date.now() - saidHereMs < AWAY_MS) return;
  saidHereMs = Date.now();
  api.session().then((found) => (found ? learn() : toldSignedOut())).catch(() => {});
}
for (const what of ["pointerdown", "keydown"]) document.addEventListener(what, here, { passive: true });

speak(document.documentElement);
shell.build(pages);
window.addEventListener("hashchange", route);
setInterval(draw, 1000);
api.onSignedOut(toldSignedOut);
api.session().then(
  (found) => (found ? toBoard() : toSignIn()),
  (refused) => toSignIn(refused.message),
);
