// All peripherals with how they are; what doesn't work comes first.

import { conditions, worst } from "../devices/conditions.js";
import { el, keyed, mark, prose, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { button, empty, heading, pill, trouble, waiting } from "../kit/parts.js";
import { locale, t, word } from "../kit/t.js";
import { isolated, sentence } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { askFind } from "./find.js";
import { tryOf } from "./trying.js";
import { follow, kindIcon, nameOf, phaseTone, placeOf, servesOf } from "./words.js";

export const ADD = "+new";

const said = (one) => [
  word("kind", one.kind), t("peripheral.for", { who: servesOf(one) }), isolated(one.address),
].filter(Boolean).join(" · ");

function tryButton(first, now) {
  const found = tryOf(first.kind);
  if (!found || !may(found.right)) return null;
  const made = button(found.text, "plain small", () => found.act(now()), { "aria-label": `${found.text}: ${nameOf(first)}` });
  return el("div", { class: "device-menu buttons" }, made);
}

function row(first) {
  let one = first;
  const link = el("a", { href: placeOf(first.id) });
  const sub = el("p", { class: "device-sub" });
  const state = pill();
  const why = el("p", { class: "device-why" });
  const wrong = conditions();
  const trying = tryButton(first, () => one);
  const node = el("li", { class: "device", "data-peripheral": first.id },
    el("span", { class: "device-icon" }, icon(kindIcon(first.kind))),
    el("h2", { class: "device-name" }, link), state.node, sub, why, wrong.node, trying || "");
  return {
    node,
    draw(now) {
      one = now;
      const tone = phaseTone(now);
      put(link, nameOf(now));
      put(sub, said(now));
      state.draw(word("phase", now.phase), tone);
      prose(why, now.phase === "ready" ? "" : sentence(now.reason || ""));
      show(why, why.textContent !== "");
      wrong.draw(now.phase === "ready" ? now.conditions : []);
      mark(node, "data-tone", now.phase === "ready" ? ["good", "good", "warn", "bad"][worst(now.conditions)] : tone);
      if (trying) show(trying, now.phase === "ready");
    },
  };
}

const URGENCY = ["refused", "lost", "claiming", "ready"];
const order = (a, b) => URGENCY.indexOf(a.phase) - URGENCY.indexOf(b.phase)
  || worst(b.conditions) - worst(a.conditions)
  || nameOf(a).localeCompare(nameOf(b), locale, { numeric: true });

function leadOf(all) {
  const ready = all.filter((one) => one.phase === "ready").length;
  return all.length ? t("peripherals.ready", { ready, n: all.length }) : "";
}

export function openList(root) {
  const lead = el("p", { class: "page-lead" });
  const wrong = el("div");
  const nothing = el("div", {}, waiting());
  const list = el("ul", { class: "device-list", id: "peripheral-list" });
  let all = [];
  const following = follow((found) => {
    all = [...found.peripherals].sort(order);
    wrong.replaceChildren();
    put(lead, leadOf(all));
    show(lead, all.length > 0);
    keyed(list, all, (one) => `${one.id} ${one.kind}`, row);
    redraw(nothing, [found.kept, all.length === 0], () => {
      if (!found.kept) return empty(t("peripherals.unkept"), t("peripherals.unkept.hint"));
      return all.length ? null : empty(t("peripherals.none"), t("peripherals.none.hint"));
    });
  }, (error) => {
    if (!all.length) nothing.replaceChildren();
    wrong.replaceChildren(trouble(error, () => following.look()));
  });
  root.append(
    heading(t("nav.peripherals"), may("peripherals") ? el("div", { class: "buttons" },
      button(t("find.button"), "primary", () => askFind(() => all), { id: "find" }),
      el("a", { class: "button plain", href: `#/peripherals/${ADD}` }, t("peripheral.add"))) : ""),
    may("peripherals") ? "" : mayNot("peripherals"), lead, wrong, list, nothing,
  );
  show(lead, false);
  return { close: following.stop };
}
