// What the hub can mend itself: the list, asking first, doing it, and what came of it.

import * as api from "../api.js";
import { ask, say } from "../kit/dialog.js";
import { t } from "../kit/t.js";

const MINUTE_MS = 60000;
let known = new Map();
let asked = "";

// What can be done depends on how the hub is: it is asked again whenever that changed,
// and once a minute: some have to pause.
export function followActions(picture) {
  const now = JSON.stringify([
    picture.hub_id, picture.started_at_ms, picture.cloud.state, picture.outbox.parked > 0, picture.clock_suspect,
    (picture.health?.findings || []).map((one) => one.action), picture.drill?.drill_id, Math.floor(picture.time_ms / MINUTE_MS),
  ]);
  if (now === asked) return;
  asked = now;
  api.watch("/api/1/actions").then(
    (found) => { known = new Map(found.actions.map((one) => [one.key, one])); },
    () => { asked = ""; },
  );
}

export const actionOf = (key) => known.get(key) || null;

// Asks, does it, says what came of it: {text, tone}, or null when the person thought better of it.
export async function run(action) {
  if (action.confirm || action.disturbs) {
    const yes = await ask({
      title: action.title,
      text: [action.what, action.disturbs ? t("action.disturbs") : "", action.confirm],
      yes: action.title,
      no: t("action.not"),
      tone: action.disturbs ? "danger" : "primary",
    });
    if (!yes) return null;
  }
  return perform(action);
}

// The same for what was asked already.
export async function perform(action) {
  try {
    const done = await api.post(`/api/1/actions/${encodeURIComponent(action.key)}`);
    const tone = done.outcome === "nothing-to-do" ? "notice" : "good";
    say(done.text, tone);
    return { text: done.text, tone };
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
    return { text: refused.message, tone: "bad" };
  }
}
