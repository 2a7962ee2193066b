// The outage drill: asking for it, saying what will happen, and the line on every page while it runs.

import * as api from "../api.js";
import { openDialog, say } from "../kit/dialog.js";
import { el, put, redraw, show } from "../kit/dom.js";
import { icon } from "../kit/icons.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { clock, countdown } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { actionOf, perform } from "../overview/actions.js";
import { hubNowMs } from "../state.js";
import { outageLink } from "./words.js";

const POINTS = ["cut", "selling", "kept", "end", "report"];
const LOOK_MS = 3000;
const LOOKS = 40;

function askStart(action) {
  openDialog(action.title, (close) => [
    el("p", {}, t("drill.ask")),
    el("ul", { class: "bullets" }, POINTS.map((one) => el("li", {}, t(`drill.point.${one}`)))),
    el("div", { class: "dialog-buttons" },
      button(t("action.not"), "plain", close),
      button(t("drill.yes"), "primary", () => {
        close();
        perform(action);
      })),
  ]);
}

// The button that starts it, or why there is none.
export function drillOffer() {
  const node = el("div", { class: "drill-offer" });
  return {
    node,
    draw(picture) {
      const action = actionOf("drill.start");
      const running = picture.drill;
      redraw(node, [action, running?.until_ms, may("drill")], () => {
        if (running) return el("p", { class: "quiet" }, t("drill.runs", { time: clock(running.until_ms) }));
        if (!may("drill")) return mayNot("drill");
        if (!action) return null;
        if (!action.available) return el("p", { class: "quiet" }, action.why_not);
        return button(`${action.title}…`, "plain small", () => askStart(action), { "data-action": action.key });
      });
      show(node, node.childElementCount > 0);
    },
  };
}

// The line at the top of every page while a drill runs, and the way to its report afterwards.
export function drillBanner(node) {
  const text = el("span");
  const left = el("strong", { class: "drill-left", "aria-hidden": "true" });
  const words = el("p", { class: "drill-words" }, icon("cut"), el("span", {}, text, " ", left));
  const buttons = el("div", { class: "drill-buttons" });
  let running = null;
  let over = null;
  let looking = 0;

  const end = () => {
    const action = actionOf("drill.end");
    return action ? perform(action) : say(t("drill.noend"), "bad");
  };

  // Its outage ends once the cloud is reached again: until then the report is asked for.
  async function lookForReport(drill, tries = LOOKS) {
    try {
      const found = await api.watch("/api/1/outages", { limit: 5 });
      const its = found.outages.find((one) => one.drill && one.began_at_ms >= drill.began_at_ms - 60000);
      if (over && its?.ended_at_ms) {
        over = { ...over, link: outageLink(its) };
        return;
      }
    } catch {
      // The next look tells; until then the list of outages is the way.
    }
    if (over && tries > 1) looking = setTimeout(() => lookForReport(drill, tries - 1), LOOK_MS);
  }

  function close() {
    clearTimeout(looking);
    over = null;
    node.replaceChildren();
    show(node, false);
  }

  return {
    close() {
      running = null;
      close();
    },
    draw(picture) {
      if (picture.drill) {
        clearTimeout(looking);
        over = null;
      } else if (running) {
        over = { link: "#/outages" };
        lookForReport(running);
      }
      running = picture.drill || null;
      show(node, Boolean(running || over));
      if (running) {
        put(text, t("drill.banner", { time: clock(running.until_ms) }));
        put(left, t("drill.left", { time: countdown(running.until_ms - hubNowMs()) }));
        redraw(node, ["runs", running.drill_id, may("drill")], () => {
          buttons.replaceChildren(...(may("drill") ? [button(t("drill.end"), "small on-dark", end, { "data-action": "drill.end" })] : []));
          return [words, buttons];
        });
      } else if (over) {
        redraw(node, ["over", over.link], () => [
          el("p", { class: "drill-words" }, icon("ok"), el("span", {}, t("drill.over"))),
          el("div", { class: "drill-buttons" },
            el("a", { class: "button small on-dark", href: over.link }, t("drill.report")),
            button(t("close"), "small on-dark", close)),
        ]);
      }
    },
  };
}
