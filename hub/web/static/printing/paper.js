// A document as it looks on paper; and in letters, for whoever can't see it or wants to copy it.

import { el } from "../kit/dom.js";
import { fold } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { titleOf } from "./words.js";

const letters = ({ text, rtl }, name) => el("div", { class: "paper-frame" },
  el("pre", { class: "paper paper-text", dir: rtl ? "rtl" : "ltr", tabindex: "0", role: "region", "aria-label": name }, text));

const CODED = ["sale", "gift"];

// A box without the fonts for a picture still has the letters.
export function paper(found) {
  const name = titleOf(found.job);
  const picture = el("img", {
    class: "paper paper-picture", alt: t("job.picture", { what: name }), src: `/api/1/printing/${encodeURIComponent(found.job.job_id)}/picture`,
  });
  const frame = el("div", { class: "paper-frame" }, picture);
  const text = fold(t("job.letters"), letters(found, name));
  picture.addEventListener("error", () => {
    frame.hidden = true;
    text.open = true;
  });
  const left = CODED.includes(found.job.kind) ? el("p", { class: "quiet" }, t("job.nocode")) : "";
  return [frame, left, text];
}
