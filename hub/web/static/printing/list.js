// Printing: what nobody knows, what waits, what went wrong, what was printed lately.

import * as api from "../api.js";
import { worst } from "../devices/conditions.js";
import { el, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { chosenList, readLive } from "../kit/list.js";
import { empty, facts, heading, pill, table } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { ago, count, moment } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { linkOf } from "../peripherals/words.js";
import { hubNowMs } from "../state.js";
import { jobButton } from "./acting.js";
import { questions } from "./ask.js";
import { fromOf, JOB_TONE, jobLink, printerOf, reasonOf, stateOf } from "./words.js";

const LIVE_MS = 2000;
const ENDED = ["printed", "failed", "expired", "cancelled"];

const what = (one) => el("span", {}, jobLink(one),
  one.reason && one.state !== "printed" ? el("span", { class: "quiet job-why" }, reasonOf(one)) : "");

const statePill = (one) => pill(stateOf(one), JOB_TONE[one.state] || "idle").node;

const columns = (done, when) => [
  { title: t("job.what"), name: "main", cell: what },
  { title: t("job.state"), name: "key", cell: statePill },
  { title: t("job.till"), name: "loose", cell: fromOf },
  { title: t("job.printer"), name: "loose", cell: printerOf },
  when,
  { title: "", name: "act", cell: (one) => jobButton(one, done) || "" },
];

const keyOf = (one) => `${one.job_id} ${one.state}`;

const stopped = (one) => one.kind === "printer" && (one.phase !== "ready" || worst(one.conditions) > 1);

// Why something may wait: printers that don't print just now.
function stoppers() {
  const node = el("ul", { class: "stoppers", hidden: true });
  return {
    node,
    async draw(wanted) {
      if (!wanted) return;
      try {
        const found = (await api.watch("/api/1/peripherals")).peripherals.filter(stopped);
        show(node, found.length > 0);
        redraw(node, found.map((one) => [one.id, one.name, one.phase, one.conditions]), () => found.map((one) => el("li", {},
          icon("warning"), el("span", {}, linkOf(one.id, found), ": ",
            one.phase === "ready" ? one.conditions.map((each) => word("condition", each)).join(", ") : word("phase", one.phase)))));
      } catch {
        // The next look tells.
      }
    },
  };
}

function open(done) {
  const rows = table(columns(done, { title: t("job.since"), name: "bare", cell: (one) => ago(hubNowMs() - one.made_at_ms) }), t("jobs.open"));
  const more = el("p", { class: "quiet" });
  const stops = stoppers();
  const node = el("section", { class: "card page-part", "aria-labelledby": "open-title", hidden: true },
    el("h2", { id: "open-title" }, t("jobs.open")), stops.node, rows.node, more);
  return {
    node,
    draw(jobs, total) {
      show(node, jobs.length > 0);
      rows.draw(jobs, keyOf);
      stops.draw(jobs.length > 0);
      put(more, total > jobs.length ? t("jobs.open.more", { n: total - jobs.length }) : "");
      show(more, total > jobs.length);
    },
  };
}

const ended = (done) => chosenList({
  id: "ended",
  title: t("jobs.lately"),
  label: t("job.state"),
  options: [["all", t("jobs.all")], ...ENDED.map((one) => [one, word("job.state", one)]), ["drawers", t("jobs.drawers")]],
  path: "/api/1/printing/ended",
  items: "jobs",
  rows: table(columns(done, { title: t("job.ended"), name: "bare", cell: (one) => moment(one.ended_at_ms || one.made_at_ms) }), t("jobs.lately")),
  keyOf,
  noneSuch: t("jobs.none.such"),
  none: () => empty(t("jobs.none"), t("jobs.none.hint")),
});

export function openList(root) {
  const sums = el("dl", { class: "facts wide counts" });
  const counts = el("section", { class: "card page-part", "aria-label": t("jobs.counts"), hidden: true }, sums);
  const live = readLive("/api/1/printing", draw);
  const asked = questions(live.look);
  const waits = open(live.look);
  const past = ended(live.look);
  let seen = "";

  function draw(found) {
    const { counts: now } = found;
    show(counts, true);
    facts(sums, [
      [t("counts.queued"), count(now.queued)], [t("counts.printing"), count(now.printing)],
      [t("counts.ambiguous"), count(now.ambiguous)], [t("counts.failed"), count(now.failed)],
      [t("counts.printed"), count(now.printed)],
    ]);
    asked.draw(found.ambiguous, now.ambiguous);
    waits.draw(found.open, now.queued + now.printing);
    const newest = JSON.stringify([found.last_ended, now.printed, now.failed]);
    if (newest !== seen && seen !== "") past.list.refresh();
    seen = newest;
  }

  root.append(heading(t("nav.printing")), may("printing") ? "" : mayNot("printing"), ...live.nodes,
    asked.node, counts, waits.node, past.node);
  past.list.restart();
  const stop = live.watch(LIVE_MS);
  return {
    close() {
      stop();
      past.list.stop();
    },
  };
}
