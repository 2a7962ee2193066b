// The way to the cloud as a strip: where it ends is seen at once.

import { el, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { t } from "../kit/t.js";

const step = (one) => el("li", { class: "way-step", "data-state": one.state, "data-place": one.place },
  el("span", { class: "way-dot" }, icon(one.state === "broken" ? "close" : one.place)),
  el("span", { class: "way-title" }, t(`way.${one.place}`)),
  el("span", { class: "way-state" }, t(`way.state.${one.state}`)));

function words(steps) {
  const broken = steps.find((one) => one.state === "broken");
  if (!broken) return t("way.fine");
  return broken.text || t("way.broken", { title: broken.title });
}

export function way() {
  const strip = el("ol", { class: "way" });
  const text = el("p", { class: "way-text" });
  const node = el("section", { class: "card way-card", "aria-labelledby": "way-title", hidden: true },
    el("h2", { id: "way-title" }, t("way.title")), strip, text);
  return {
    node,
    draw(health) {
      const steps = health.way || [];
      show(node, steps.length > 0);
      redraw(strip, steps, () => steps.map(step));
      redraw(text, steps, () => words(steps));
    },
  };
}
