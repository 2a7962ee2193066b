// What nobody knows: whether it is on paper.  First on the page, until somebody says so.

import * as api from "../api.js";
import { el, keyed, put, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { fold } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { readInto } from "../kit/list.js";
import { moment } from "../kit/words.js";
import { answers } from "./acting.js";
import { paper } from "./paper.js";
import { fromOf, jobLink, printerOf, reasonOf } from "./words.js";

function preview(job) {
  const place = el("div");
  const made = fold(t("ask.preview"), place);
  made.addEventListener("toggle", () => {
    if (!made.open || place.children.length) return;
    readInto(place, (ask) => ask(`/api/1/printing/${encodeURIComponent(job.job_id)}`), paper);
  });
  return made;
}

const where = (job) => [
  t("job.from", { who: fromOf(job) }),
  printerOf(job) ? t("job.on", { printer: printerOf(job) }) : "",
  moment(job.made_at_ms),
].filter(Boolean).join(" · ");

function question(job, done) {
  const why = el("p", { class: "ask-why" });
  const sub = el("p", { class: "quiet" });
  return {
    node: el("li", { class: "ask", "data-job": job.job_id },
      el("div", { class: "ask-head" }, el("span", { class: "ask-mark" }, icon("unknown")),
        el("div", {}, el("h3", {}, jobLink(job)), sub)),
      why, answers(job, done), preview(job)),
    draw(now) {
      put(sub, where(now));
      put(why, reasonOf(now) || t("ask.why"));
    },
  };
}

export function questions(done) {
  const list = el("ul", { class: "ask-list" });
  const rest = el("p", { class: "quiet" });
  const node = el("section", { class: "ask-part", "aria-labelledby": "ask-title", hidden: true },
    el("h2", { id: "ask-title" }, t("ask.title")), el("p", { class: "ask-lead" }, t("ask.lead")), list, rest);
  return {
    node,
    draw(jobs, count) {
      show(node, jobs.length > 0);
      keyed(list, jobs, (one) => one.job_id, (one) => question(one, done));
      put(rest, count > jobs.length ? t("ask.more", { n: count - jobs.length }) : "");
      show(rest, count > jobs.length);
    },
  };
}
