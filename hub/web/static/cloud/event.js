// One event as it is written, without what names people, payments and cards.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { readInto } from "../kit/list.js";
import { backLink, factList, pill } from "../kit/parts.js";
import { eventName, t, word } from "../kit/t.js";
import { bytes, count, isolated, moment } from "../kit/words.js";

export function openEvent(root, outboxId) {
  const name = el("h1", { tabindex: "-1" }, t("event.title"));
  const body = el("div");
  root.append(backLink("#/cloud", t("nav.cloud")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, () => api.read(`/api/1/cloud/events/${encodeURIComponent(outboxId)}`), (found) => {
    const { event, parked } = found;
    name.textContent = eventName(event.type);
    return el("div", { class: "board two" },
      el("section", { class: "card" },
        el("h2", {}, t("event.about"), pill(t(`told.${parked ? "parked" : event.state}`),
          parked ? "warn" : event.state === "acked" ? "good" : "idle").node),
        parked && el("p", { class: "lead" }, parked.reason || parked.code),
        factList([
          [t("events.when"), moment(event.at_ms)],
          [t("events.stream"), `${word("stream", event.stream)} ${count(event.seq)}`],
          [t("event.aggregate"), isolated(event.aggregate)],
          [t("event.id"), isolated(event.event_id)],
          [t("events.size"), bytes(event.bytes)],
        ])),
      el("section", { class: "card" }, el("h2", {}, t("event.data")),
        found.left_out.length ? el("p", { class: "quiet" }, t("event.leftout", { names: found.left_out.join(", ") })) : "",
        el("pre", { class: "code-block", tabindex: "0", "aria-label": t("event.data"), dir: "ltr" },
          JSON.stringify(found.data, null, 2))));
  });
  return { close: reading.stop };
}
