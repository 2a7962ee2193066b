// How a print job reads, and how it is.

import { el, unbroken } from "../kit/dom.js";
import { t, word } from "../kit/t.js";
import { isolated, sentence } from "../kit/words.js";

export const JOB_TONE = {
  queued: "idle", printing: "notice", printed: "good", failed: "bad", ambiguous: "warn", expired: "warn", cancelled: "idle",
};

const NAMED = ["sale", "return", "gift", "void", "shelf-label"];

// "Receipt 002-000017", "Test page".
export function titleOf(job) {
  const kind = word("printed", job.kind);
  const named = NAMED.includes(job.kind) && job.title ? `${kind} ${isolated(job.title)}` : kind;
  return job.copy_no ? t("job.copy", { what: named, n: job.copy_no }) : named;
}

export const reasonOf = (job) => sentence(job.reason || "");

// What became of it; a person's word says more than "cancelled".
export const stateOf = (job) =>
  (job.answer && job.state === "cancelled" ? t(`job.answered.${job.answer}`) : word("job.state", job.state));

export const titleNodes = (job) => unbroken(titleOf(job), isolated(job.title || ""));

export const jobLink = (job) => el("a", { href: `#/printing/${encodeURIComponent(job.job_id)}` }, titleNodes(job));

export const isOpen = (job) => ["queued", "printing", "ambiguous"].includes(job.state);
export const isDrawer = (job) => job.kind === "drawer-kick";

// Who asked for it: a till by its name, or whoever else.
export const fromOf = (job) => job.device_name || (job.device_id ? isolated(job.device_id) : t("job.page"));

export const printerOf = (job) => job.printer_name || (job.printer_id ? isolated(job.printer_id) : "");
