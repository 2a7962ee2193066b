// Trying a peripheral: a test page, the drawer, the scale's weight, the display, the next code.

import * as api from "../api.js";
import { ask, form, openDialog, say } from "../kit/dialog.js";
import { el, mark, put } from "../kit/dom.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { deviceName, nameOf, tills } from "./words.js";

const PAUSE_MS = 800;
const LONGEST_MS = 120000;
const CODES = 5;

const tried = (one, timeoutS) => api.post("/api/1/peripheral/try", { id: one.id, timeout_s: timeoutS });
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function once(act, done) {
  try {
    say(done(await act()));
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
}

async function testPage(one) {
  const yes = await ask({
    title: t("try.page.title"), text: t("try.page.text", { name: nameOf(one) }), yes: t("try.page.yes"),
  });
  if (yes) await once(() => api.change("print", "test", { printer_id: one.id }), () => t("try.page.done"));
}

function openDrawer(one) {
  const whose = one.serves.length ? one.serves : tills().map((each) => each.device_id);
  if (!whose.length) {
    say(t("try.drawer.nobody"), "bad");
    return;
  }
  form({
    title: t("try.drawer.title", { name: nameOf(one) }),
    text: t("try.drawer.text"),
    fields: [{
      name: "device", label: t("try.drawer.whose"), options: whose.map((id) => [id, deviceName(id)]),
    }, { name: "reason", label: t("try.drawer.why"), required: true, maxlength: 200, placeholder: t("try.drawer.example") }],
    yes: t("try.drawer.yes"),
    act: async ({ device, reason }, close) => {
      await api.change("drawer", "open", { device_id: device, reason });
      close();
      say(t("try.drawer.done"));
    },
  });
}

async function showText(one) {
  const yes = await ask({
    title: t("try.display.title"), text: t("try.display.text", { name: nameOf(one) }), yes: t("try.display.yes"),
  });
  if (yes) await once(() => tried(one, 10), (came) => came.outcome);
}

// Asks again and again while the dialog is open, two minutes at most.
function live(one, { title, lead, timeoutS, told }) {
  let open = true;
  const shown = el("p", { class: "live-reading", role: "status" }, t("try.waiting"));
  const again = button(t("try.again"), "plain", () => go(), { hidden: true });

  async function go() {
    const endsMs = Date.now() + LONGEST_MS;
    again.hidden = true;
    while (open && Date.now() < endsMs) {
      try {
        const { outcome } = await tried(one, timeoutS);
        if (!open) return;
        mark(shown, "data-tone", "good");
        told(shown, outcome);
      } catch (refused) {
        if (!open || refused.status === 401) return;
        mark(shown, "data-tone", "bad");
        put(shown, refused.message);
      }
      await pause(PAUSE_MS);
    }
    if (open) again.hidden = false;
  }

  openDialog(title, (close) => [
    el("p", { class: "quiet" }, lead), shown,
    el("div", { class: "dialog-buttons" }, again, button(t("done"), "primary", close)),
  ], () => { open = false; });
  go();
}

const weigh = (one) => live(one, {
  title: nameOf(one), lead: t("try.scale.lead"), timeoutS: 5, told: put,
});

function readCodes(one) {
  const codes = [];
  live(one, {
    title: nameOf(one),
    lead: t("try.scanner.lead"),
    timeoutS: 15,
    told: (node, outcome) => {
      codes.unshift(outcome);
      node.replaceChildren(...codes.slice(0, CODES).map((text, index) =>
        el("span", { class: index ? "quiet" : "" }, text)));
    },
  });
}

const diagnose = (one) => live(one, {
  title: nameOf(one), lead: t("try.terminal.lead"), timeoutS: 15, told: put,
});

const TRIES = {
  printer: ["try.page", testPage, "printing"],
  drawer: ["try.drawer", openDrawer, "peripherals"],
  scale: ["try.scale", weigh, "peripherals"],
  display: ["try.display", showText, "peripherals"],
  scanner: ["try.scanner", readCodes, "peripherals"],
  terminal: ["try.terminal", diagnose, "peripherals"],
};

// The button that tries a peripheral of this kind: {text, right, act(one)}, or null.
export function tryOf(kind) {
  const found = TRIES[kind];
  return found ? { text: t(found[0]), act: found[1], right: found[2] } : null;
}
