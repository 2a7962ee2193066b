// How much of a cap is used, as a bar: the words stand beside it, for whoever can't see it too.

import { el, mark, put, svg } from "../kit/dom.js";
import { freshId } from "../kit/parts.js";

const NEAR = 0.8;

export const shareOf = (used, cap) => (cap > 0 ? Math.min(1, used / cap) : used > 0 ? 1 : 0);

export const toneOf = (share) => (share >= 1 ? "bad" : share >= NEAR ? "warn" : "good");

export function bar(title) {
  const id = freshId("bar");
  const fill = svg("rect", { class: "meter-fill", x: "0", y: "0", height: "100%", width: "0%" });
  const name = el("span", { class: "meter-name", id }, title);
  const text = el("span", { class: "meter-text" });
  const track = el("div", {
    class: "meter-track", role: "meter", "aria-labelledby": id, "aria-valuemin": "0", "aria-valuemax": "100",
  }, svg("svg", { class: "meter-svg", "aria-hidden": "true", focusable: "false" }, fill));
  const node = el("div", { class: "meter" }, el("div", { class: "meter-head" }, name, text), track);
  return {
    node,
    draw(used, cap, words, tone = toneOf(shareOf(used, cap))) {
      const share = shareOf(used, cap);
      put(text, words);
      mark(node, "data-tone", tone);
      mark(fill, "width", `${share > 0 ? Math.max(1, share * 100) : 0}%`);
      mark(track, "aria-valuenow", String(Math.round(share * 100)));
      mark(track, "aria-valuetext", words);
    },
  };
}
