// One peripheral: how it is and what to do, what it can, whom it serves, and what is set about it.

import * as api from "../api.js";
import { conditionNotes } from "../devices/conditions.js";
import { ask, say } from "../kit/dialog.js";
import { el, mark, prose, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { backLink, button, empty, factList, pill, trouble, waiting } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated, moment, sentence, span } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { hubNowMs } from "../state.js";
import { tryOf } from "./trying.js";
import { capabilities, follow, kindIcon, linkOf, nameOf, phaseTone, placeOf, servesOf } from "./words.js";

const MISSES = 3;

const what = (one) => [one.maker, one.model, one.firmware].filter(Boolean).join(" · ");

const opened = (one) => (one.opened === undefined ? "" : t(one.opened ? "drawer.open" : "drawer.shut"));

const about = (one, all) => el("section", { class: "card" }, el("h2", {}, t("peripheral.about")),
  factList([
    [t("device.kind"), word("kind", one.kind)],
    [t("device.id"), isolated(one.id)],
    [t("peripheral.address"), isolated(one.address)],
    [t("peripheral.driver"), isolated(one.driver)],
    [t("device.model"), what(one)],
    [t("peripheral.serial"), isolated(one.serial)],
    [t("peripheral.width"), one.width_mm ? t("peripheral.mm", { n: one.width_mm }) : ""],
    [t("peripheral.confirms"), one.kind === "printer" ? t(one.confirms ? "peripheral.confirms.yes" : "peripheral.confirms.no") : ""],
    [t("drawer.state"), opened(one)],
  ]),
  one.capabilities.length ? el("div", {}, el("h3", { class: "facts-title" }, t("peripheral.can")),
    el("ul", { class: "chips" }, capabilities(one.capabilities).map((text) => el("li", { class: "chip" }, text)))) : "",
  leans(one, all));

function leans(one, all) {
  const rows = [
    [t("peripheral.serves"), servesOf(one)],
    [t("peripheral.via"), one.via && linkOf(one.via, all)],
    [t("peripheral.fallback"), one.fallback && linkOf(one.fallback, all)],
  ].filter(([, value]) => value);
  return el("dl", { class: "facts" }, rows.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

async function remove(one) {
  const yes = await ask({
    title: t("peripheral.remove.title", { name: nameOf(one) }), text: t("peripheral.remove.text"),
    yes: t("peripheral.remove.yes"), no: t("peripheral.remove.no"), tone: "danger",
  });
  if (!yes) return;
  try {
    await api.change("peripheral", "remove", { id: one.id });
    say(t("peripheral.remove.done", { name: nameOf(one) }));
    location.hash = "#/peripherals";
  } catch (refused) {
    if (refused.status !== 401) say(refused.message, "bad");
  }
}

function setup(one) {
  const options = Object.entries(one.options).map(([name, value]) => [name, isolated(String(value))]);
  const kept = el("p", { class: "quiet" });
  prose(kept, t("peripheral.of.settings"));
  return el("section", { class: "card" }, el("h2", {}, t("peripheral.setup"),
    pill(t(`peripheral.source.${one.source}`), "idle").node),
  factList(options),
  options.length ? "" : el("p", { class: "quiet" }, t("peripheral.nooptions")),
  one.shadows ? el("p", { class: "quiet" }, t("peripheral.shadows")) : "",
  one.source === "settings" ? kept : manage(one));
}

function manage(one) {
  if (!may("peripherals")) return mayNot("peripherals");
  return el("div", { class: "buttons" },
    el("a", { class: "button plain small", href: `${placeOf(one.id)}/change` }, t("peripheral.change")),
    button(t("peripheral.remove"), "danger small", () => remove(one)));
}

export function openDetail(root, id) {
  const name = el("h1", { tabindex: "-1" }, id);
  const phase = pill();
  const symbol = el("span", { class: "device-icon" }, icon("box"));
  const head = el("div", { class: "page-head device-head" }, symbol, name, phase.node);
  const since = el("p", { class: "quiet" });
  const why = el("p", { class: "problem-step" }, icon("step"), el("span"));
  const wrong = conditionNotes();
  const fine = el("p", {});
  const buttons = el("div", { class: "buttons" });
  const now = el("section", { class: "card" }, el("h2", {}, t("peripheral.now")), why, fine, wrong.node, since, buttons);
  const rest = el("div", { class: "board two" });
  const trouble_ = el("div");
  const body = el("div", {}, waiting());
  let one = null;
  let misses = 0;
  root.append(backLink("#/peripherals", t("nav.peripherals")), head, trouble_, body);

  function drawNow() {
    const tone = phaseTone(one);
    put(name, nameOf(one));
    redraw(symbol, one.kind, () => icon(kindIcon(one.kind)));
    mark(head, "data-tone", tone);
    phase.draw(word("phase", one.phase), tone);
    const ready = one.phase === "ready";
    prose(why.lastElementChild, ready ? "" : sentence(one.reason || "") || t(`phase.${one.phase}.text`));
    show(why, !ready);
    wrong.draw(ready ? one.conditions : []);
    put(fine, ready && !one.conditions.length ? t("peripheral.fine") : "");
    show(fine, fine.textContent !== "");
    redraw(buttons, [one.kind, ready], () => {
      const found = tryOf(one.kind);
      if (!found) return null;
      if (!may(found.right)) return mayNot(found.right);
      return [
        ready ? button(found.text, "primary small", () => found.act(one), { id: "try" }) : null,
        one.kind === "printer" ? el("a", { class: "button plain small", href: "#/printing" }, t("peripheral.jobs")) : null,
      ];
    });
  }

  const following = follow((found) => {
    trouble_.replaceChildren();
    one = found.peripherals.find((each) => each.id === id) || null;
    if (!one) {
      misses += 1;
      // One that was set up just now is driven a moment later.
      if (misses < MISSES) return;
      redraw(body, "gone", () => empty(t("peripheral.gone"), t("peripheral.gone.hint")));
      return;
    }
    misses = MISSES;
    drawNow();
    redraw(body, "here", () => el("div", { class: "stack" }, now, rest));
    const still = { ...one, conditions: 0, phase: 0, reason: 0, since_ms: 0 };
    redraw(rest, [still, found.peripherals.map((each) => each.name)], () => [about(one, found.peripherals), setup(one)]);
  }, (error) => {
    if (!one) body.replaceChildren();
    trouble_.replaceChildren(trouble(error, () => following.look()));
  });

  return {
    draw() {
      if (one) put(since, t("since", { time: moment(one.since_ms), span: span(hubNowMs() - one.since_ms) }));
    },
    close: following.stop,
  };
}
