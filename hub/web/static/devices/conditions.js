// What a device says of its own parts: paper, cover, drawer, battery.

import { el, mark, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { pill } from "../kit/parts.js";
import { t, word } from "../kit/t.js";

const MILD = ["printer-paper-near-end", "drawer-open", "battery-low"];
const tone = (key) => (MILD.includes(key) ? "warn" : "bad");

// 2: something doesn't work; 1: it soon won't; 0: nothing.
export const worst = (keys = []) => (keys.some((one) => tone(one) === "bad") ? 2 : keys.length ? 1 : 0);

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
    draw(keys = []) {
      show(node, keys.length > 0);
      redraw(node, keys, () => keys.map((one) => {
        const step = word("condition.step", one);
        const made = el("li", {}, icon("warning"), el("div", {}, el("strong", {}, word("condition", one)),
          step === one ? "" : el("p", {}, step)));
        mark(made, "data-tone", tone(one));
        return made;
      }));
    },
  };
}
