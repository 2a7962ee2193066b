// Cloud link: is it up, what waits, what was set aside and why, what came down.

import * as api from "../api.js";
import { openEvent } from "../cloud/event.js";
import { commands, events } from "../cloud/lists.js";
import { parked } from "../cloud/parked.js";
import { history } from "../history/charts.js";
import { el, redraw, show } from "../kit/dom.js";
import { every } from "../kit/list.js";
import { button, card, fold, heading, table, trouble, waiting } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, count, isolated, moment, span } from "../kit/words.js";
import { may } from "../me.js";
import { actionOf, followActions, run } from "../overview/actions.js";
import { CLOUD_TONE, outbox } from "../overview/tiles.js";
import { healthOf } from "../overview/verdict.js";
import { way } from "../overview/way.js";
import { hubNowMs, state } from "../state.js";

const LIVE_MS = 5000;
// A link to what was set aside: it stands at the top of the page.
const PARKED = "parked";

function streams() {
  const rows = table([
    { title: t("stream.name"), name: "main", cell: (one) => word("stream", one.stream) },
    { title: t("stream.waiting"), name: "key", cell: (one) => count(one.waiting) },
    { title: t("stream.oldest"), cell: (one) => (one.oldest_at_ms ? span(hubNowMs() - one.oldest_at_ms) : "") },
    { title: t("stream.acked"), name: "num", cell: (one) => t("stream.of", { acked: one.acked_seq, head: one.head_seq }) },
  ], t("stream.title"));
  const node = el("section", { class: "card", hidden: true }, el("h2", {}, t("stream.title")), rows.node);
  return {
    node,
    draw(found) {
      show(node, found.streams.length > 0);
      rows.draw(found.streams, (one) => `${one.source} ${one.stream}`);
    },
  };
}

function since(one) {
  if (one.staging) return t("dataset.fetching", { n: one.staging_chunks });
  return one.swapped_at_ms ? moment(one.swapped_at_ms) : t("dataset.none");
}

function datasets() {
  const rows = table([
    { title: t("dataset.name"), name: "main", cell: (one) => word("dataset", one.dataset) },
    { title: t("dataset.rows"), name: "key", cell: (one) => count(one.rows) },
    { title: t("dataset.changes"), name: "num", cell: (one) => (one.changes ? count(one.changes) : "") },
    { title: t("dataset.since"), cell: since },
  ], t("dataset.title"));
  const node = el("section", { class: "card", hidden: true }, el("h2", {}, t("dataset.title")), rows.node);
  return {
    node,
    draw(found) {
      show(node, found.datasets.length > 0);
      rows.draw(found.datasets, (one) => one.dataset);
    },
  };
}

function tryNow() {
  const place = el("div", { class: "buttons" });
  return {
    node: place,
    draw() {
      const offered = !may("actions") ? [] : ["outbox.retry", "link.look"].map(actionOf).filter((one) => one?.available);
      redraw(place, offered, () => offered.map((one) => button(one.title, "plain small", () => run(one))));
      show(place, offered.length > 0);
    },
  };
}

function open(root, what) {
  if (what && what !== PARKED) return openEvent(root, what);
  const past = history();
  const link = card(t("cloud.title"), { name: "link", link: { href: "#/outages", text: t("outage.link") } });
  const again = tryNow();
  link.list.after(again.node, past.charts.link);
  const strip = way();
  const depth = outbox(null, past.charts.depth);
  const wrong = el("div", {}, waiting());
  const aside = parked();
  const flows = streams();
  const sets = datasets();
  const sent = events();
  const came = commands();
  const figures = el("section", { class: "card span-all history-card", "aria-label": t("history.chart.sales") },
    past.charts.sales, past.charts.speed);
  root.append(heading(t("nav.cloud")), wrong, strip.node, aside.node, past.bar,
    el("div", { class: "board two" }, link.node, depth.node, figures, flows.node, sets.node),
    el("section", { class: "card page-part" }, fold(t("events.title"), sent.node)),
    el("section", { class: "card page-part" }, fold(t("commands.title"), came.node)));

  let whole = null;
  async function look() {
    try {
      whole = await api.watch("/api/1/cloud");
      wrong.replaceChildren();
      flows.draw(whole);
      sets.draw(whole);
    } catch (error) {
      if (error.status !== 401) wrong.replaceChildren(trouble(error));
    }
  }
  const stop = every(LIVE_MS, look);

  return {
    draw() {
      const { picture } = state;
      const nowMs = hubNowMs();
      followActions(picture);
      const now = picture.cloud;
      link.draw({
        tone: CLOUD_TONE[now.state] || "warn",
        state: word("cloud.state", now.state),
        lead: now.detail || t("cloud.for", { span: span(nowMs - now.since_ms) }),
        facts: [
          [t("cloud.address"), now.url],
          [t("cloud.success"), now.last_success_at_ms ? ago(nowMs - now.last_success_at_ms) : t("never")],
          [t("cloud.importing"), now.importing],
          [t("cloud.drift"), now.drift ? t("cloud.drift.many", { n: now.drift }) : ""],
          [t("cloud.safe"), t("stream.of", { acked: picture.safe_seq, head: picture.seq })],
          [t("cloud.identity"), isolated(`${picture.incarnation} · ${picture.epoch}`)],
        ],
      });
      again.draw();
      depth.draw(picture, nowMs);
      strip.draw(healthOf(picture));
      aside.draw(picture);
    },
    close() {
      stop();
      past.stop();
      aside.stop();
      sent.stop();
      came.stop();
    },
  };
}

export const page = { id: "cloud", icon: "cloud", open };
