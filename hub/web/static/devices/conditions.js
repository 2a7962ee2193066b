// What a device says of its own parts: paper, cover, drawer, battery.

import { el, mark, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { moment } from "../kit/words.js";

const HINDERS = ["printer-offline", "printer-cover-open", "printer-paper-empty", "terminal-offline"];
const MILD = ["printer-paper-near-end", "drawer-open", "display-offline"];
const tone = (key) => (HINDERS.includes(key) ? "bad" : MILD.includes(key) ? "notice" : "warn");
const WEIGHT = { bad: 3, warn: 2, notice: 1 };

// How much it hinders, 0 to 3.
export const worst = (keys = []) => Math.max(0, ...keys.map((one) => WEIGHT[tone(one)]));

// In a list: the words alone.
export function conditions() {
  const node = el("ul", { class: "conditions", hidden: true, "aria-label": t("condition.label") });
  return {
    node,
    draw(keys = []) {
      show(node, keys.length > 0);
      redraw(node, keys, () => keys.map((one) => el("li", {}, pill(word("condition", one), tone(one)).node)));
    },
  };
}

// On the device's own page: with what to do.
export function conditionNotes() {
  const node = el("ul", { class: "condition-notes", hidden: true, "aria-label": t("condition.label") });
  return {
    node,
    draw(keys = [], sinceMs = {}) {
      show(node, keys.length > 0);
      redraw(node, [keys, sinceMs], () => keys.map((one) => {
        const step = word("condition.step", one);
        const made = el("li", {}, icon("warning"), el("div", {}, el("strong", {}, word("condition", one)),
          sinceMs[one] ? el("span", { class: "quiet" }, " ", t("condition.since", { time: moment(sinceMs[one]) })) : "",
          step === one ? "" : el("p", {}, step)));
        mark(made, "data-tone", tone(one));
        return made;
      }));
    },
  };
}
