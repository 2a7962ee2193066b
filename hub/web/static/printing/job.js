// One job: what became of it, and the document as it looks on paper.

import * as api from "../api.js";
import { el } from "../kit/dom.js";
import { every, readInto } from "../kit/list.js";
import { backLink, factList, pill } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { isolated, moment } from "../kit/words.js";
import { linkOf } from "../peripherals/words.js";
import { answers, jobButton } from "./acting.js";
import { paper } from "./paper.js";
import { fromOf, isDrawer, isOpen, JOB_TONE, reasonOf, stateOf, titleNodes } from "./words.js";

const LIVE_MS = 2000;

function paperWords(job) {
  if (job.state !== "printed" || isDrawer(job)) return "";
  if (job.answer) return t("job.confirmed.person");
  return t(job.confirmed ? "job.confirmed.yes" : "job.confirmed.no");
}

function about(job, done) {
  const act = job.state === "ambiguous" ? answers(job, done) : jobButton(job, done);
  return el("section", { class: "card" }, el("h2", {}, t("job.about"), pill(stateOf(job), JOB_TONE[job.state] || "idle").node),
    job.reason ? el("p", {}, reasonOf(job)) : "",
    job.state === "ambiguous" ? el("p", { class: "ask-lead" }, t("ask.lead")) : "",
    factList([
      [t("job.till"), fromOf(job)],
      [t("job.made"), moment(job.made_at_ms)],
      [t("job.ended"), job.ended_at_ms ? moment(job.ended_at_ms) : ""],
      [t("job.confirmed"), paperWords(job)],
      [t("job.tries"), job.attempt > 1 ? String(job.attempt) : ""],
      [t("job.id"), isolated(job.job_id)],
    ]),
    job.printer_id ? el("dl", { class: "facts" }, el("div", {}, el("dt", {}, t("job.printer")),
      el("dd", {}, linkOf(job.printer_id, job.printer_name ? [{ id: job.printer_id, name: job.printer_name }] : [])))) : "",
    act ? el("div", { class: "buttons" }, act) : "",
    job.of_job ? el("p", { class: "card-link" }, el("a", { href: `#/printing/${encodeURIComponent(job.of_job)}` }, t("job.of"))) : "",
    job.sale_id ? el("p", { class: "card-link" }, el("a", { href: `#/sales/${encodeURIComponent(job.sale_id)}` }, t("job.sale"))) : "");
}

export function openJob(root, jobId) {
  const name = el("h1", { tabindex: "-1" }, t("job.title"));
  const body = el("div");
  let wanted = true;
  root.append(backLink("#/printing", t("nav.printing")), el("div", { class: "page-head" }, name), body);
  const reading = readInto(body, (ask) => ask(`/api/1/printing/${encodeURIComponent(jobId)}`), (found) => {
    name.replaceChildren(...titleNodes(found.job));
    wanted = isOpen(found.job);
    return el("div", { class: "board two" }, about(found.job, reading.again),
      found.text ? el("section", { class: "card", "aria-label": t("job.preview") }, el("h2", {}, t("job.preview")), ...paper(found)) : "");
  });
  let seen = "";
  const stop = every(LIVE_MS, async () => {
    if (!wanted) return;
    try {
      const { job } = await api.watch(`/api/1/printing/${encodeURIComponent(jobId)}`);
      const now = JSON.stringify(job);
      if (seen && seen !== now) reading.refresh();
      seen = now;
    } catch {
      // The next look tells.
    }
  });
  return {
    close() {
      stop();
      reading.stop();
    },
  };
}
