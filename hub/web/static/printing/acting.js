// What a person decides about a job: it came out, once more, forget it, don't print it, print it anew.

import * as api from "../api.js";
import { ask, say } from "../kit/dialog.js";
import { el } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { ifMay, may } from "../me.js";
import { isDrawer, isOpen, titleOf } from "./words.js";

async function change(operation, body, text, done) {
  try {
    await api.change("print", operation, body);
    say(text);
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
  done();
}

const settle = (job, answer, done) =>
  change("settle", { job_id: job.job_id, answer }, t(`settle.${answer}.done`), done);

const ANSWERS = [["printed", "ok", "primary"], ["again", "printer", "plain"], ["forget", "close", "plain"]];

// "Did this come out?": three buttons as large as the question is grave.
export const answers = (job, done) => ifMay("printing", () => {
  const node = el("div", { class: "answers" }, ANSWERS.map(([answer, symbol, style]) =>
    el("button", {
      type: "button",
      class: `${style} answer`,
      "data-answer": answer,
      "aria-label": `${t(`settle.${answer}`)}: ${titleOf(job)}`,
      on: {
        click: async () => {
          for (const each of node.children) each.disabled = true;
          await settle(job, answer, done);
          for (const each of node.children) each.disabled = false;
        },
      },
    }, icon(symbol), el("span", {}, el("strong", {}, t(`settle.${answer}`)), el("span", {}, t(`settle.${answer}.text`))))));
  return node;
});

async function cancel(job, done) {
  const yes = await ask({
    title: t("job.cancel.title", { what: titleOf(job) }), text: t("job.cancel.text"), yes: t("job.cancel.yes"), no: t("job.cancel.no"), tone: "danger",
  });
  if (yes) await change("cancel", { job_id: job.job_id }, t("job.cancel.done"), done);
}

export async function reprint(job, done) {
  const yes = await ask({
    title: t("job.reprint.title", { what: titleOf(job) }), text: t("job.reprint.text"), yes: t("job.reprint"),
  });
  if (yes) await change("reprint", { job_id: job.job_id }, t("job.reprint.done"), done);
}

// What can be done to a job that isn't asked about; null: nothing, or nothing for this person.
export function jobButton(job, done) {
  if (!may("printing") || job.state === "ambiguous") return null;
  if (job.state === "queued") {
    return button(t("job.cancel"), "plain small", () => cancel(job, done), { "aria-label": `${t("job.cancel")}: ${titleOf(job)}` });
  }
  if (isOpen(job) || isDrawer(job)) return null;
  return button(t("job.reprint"), job.state === "printed" ? "plain small act-quiet" : "plain small", () => reprint(job, done), { "aria-label": `${t("job.reprint")}: ${titleOf(job)}` });
}
