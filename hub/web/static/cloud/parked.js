// What the cloud didn't take: why, and what can be done about it.

import * as api from "../api.js";
import { form, say } from "../kit/dialog.js";
import { el, show } from "../kit/dom.js";
import { pagedList } from "../kit/list.js";
import { button, pill } from "../kit/parts.js";
import { eventName, t } from "../kit/t.js";
import { isolated, moment } from "../kit/words.js";
import { ifMay, may } from "../me.js";
import { actionOf, run } from "../overview/actions.js";

function askGiveUp(one, done) {
  form({
    title: t("giveup.title"),
    text: t("giveup.lead"),
    fields: [{ name: "reason", label: t("giveup.why"), required: true, maxlength: 200 }],
    yes: t("giveup.yes"),
    no: t("giveup.no"),
    tone: "danger",
    act: async ({ reason }, close) => {
      await api.change("outbox", "give-up", { outbox_id: one.outbox_id, reason });
      close();
      say(t("giveup.done"));
      done();
    },
  });
}

async function again(one, done) {
  try {
    await api.change("outbox", "retry", { outbox_id: one.outbox_id });
    say(t("parked.retried"));
    done();
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
}

const why = (one) => (one.code === "follows" ? t("parked.follows") : one.reason || one.code);

function row(one, done) {
  const name = `${eventName(one.type)} ${one.aggregate}`;
  return el("li", { class: "parked" },
    el("div", { class: "parked-head" },
      el("a", { href: `#/cloud/${one.outbox_id}` }, eventName(one.type), " ",
        el("span", { class: "quiet" }, isolated(one.aggregate))),
      pill(one.code, "warn").node),
    el("p", {}, why(one)),
    el("p", { class: "quiet" }, t("parked.since", { time: moment(one.parked_at_ms) })),
    may("outbox") && el("div", { class: "buttons" },
      button(t("parked.retry"), "plain small", () => again(one, done), { "aria-label": t("parked.retry.one", { name }) }),
      one.may_give_up && button(t("giveup.button"), "danger small", () => askGiveUp(one, done))));
}

export function parked() {
  const rows = el("ul", { class: "parked-list" });
  const title = pill("", "warn");
  const all = el("div", { class: "buttons" });
  const list = pagedList({
    load: async (cursor, ask) => {
      const found = await ask("/api/1/cloud/parked", { cursor, limit: 20 });
      title.draw(String(found.total), "warn");
      return [found.parked, found.next_cursor];
    },
    draw: (items) => rows.replaceChildren(...items.map((one) => row(one, list.restart))),
    none: () => el("p", { class: "quiet" }, t("parked.none")),
  });
  const node = el("section", { class: "card page-part", "aria-labelledby": "parked-title", hidden: true },
    el("h2", { id: "parked-title" }, t("parked.title"), title.node),
    el("p", { class: "quiet" }, t("parked.lead")),
    ifMay("outbox", () => all), list.top, rows, list.nothing, list.rest);
  let seen = -1;
  return {
    node,
    stop: list.stop,
    draw(picture) {
      const many = picture.outbox.parked;
      show(node, many > 0);
      const action = actionOf("parked.resend");
      if (action?.available && may("actions") && many > 1 && !all.children.length) {
        all.append(button(action.title, "primary small", () => run(action).then((came) => came && list.restart())));
      }
      if (many !== seen) {
        seen = many;
        if (many) list.refresh();
      }
    },
  };
}
