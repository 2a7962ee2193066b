// Overview: the verdict, what is wrong and what to do; then the figures.

import { history } from "../history/charts.js";
import { el } from "../kit/dom.js";
import { t } from "../kit/t.js";
import { lastOutage } from "../outages/card.js";
import { followActions } from "../overview/actions.js";
import { problems } from "../overview/problems.js";
import { readiness } from "../overview/readiness.js";
import * as tiles from "../overview/tiles.js";
import { healthOf, verdict } from "../overview/verdict.js";
import { way } from "../overview/way.js";
import { hubNowMs, state } from "../state.js";
import { linkTo } from "./links.js";

function open(root) {
  const top = verdict();
  const bad = problems();
  const strip = way();
  const ready = readiness();
  const outage = lastOutage();
  const past = history();
  const cards = [
    tiles.sales(linkTo("sales", t("sales.link")), past.charts.sales),
    tiles.cloud(linkTo("cloud", t("cloud.link")), past.charts.link),
    tiles.outbox(linkTo("cloud", t("outbox.link")), past.charts.depth),
    tiles.devices(linkTo("devices", t("devices.link"))),
    tiles.orders(linkTo("orders", t("orders.link"))),
    tiles.payments(linkTo("payments", t("payments.link"))),
    tiles.printing(linkTo("printing", t("printing.link"))),
    tiles.box(past.charts.speed),
    tiles.warnings(linkTo("logs", t("log.link"))),
  ];
  root.append(top.node, bad.node, strip.node, outage.node, past.bar,
    el("div", { class: "board" }, ready.node, cards.map((one) => one.node)));
  return {
    draw() {
      const { picture } = state;
      const nowMs = hubNowMs();
      followActions(picture);
      const health = healthOf(picture);
      top.draw(health, picture, nowMs);
      bad.draw(health, nowMs);
      strip.draw(health);
      outage.draw(picture);
      ready.draw(health, picture);
      for (const one of cards) one.draw(picture, nowMs);
    },
    close() {
      outage.stop();
      past.stop();
    },
  };
}

export const page = { id: "overview", icon: "overview", open };
