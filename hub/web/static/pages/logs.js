// Logs: what the hub says, live, with filters; and saying more for a while.

import * as api from "../api.js";
import { form, say } from "../kit/dialog.js";
import { el, keyed, show } from "../kit/dom.js";
import { choice, every, searchBox } from "../kit/list.js";
import { button, empty, factList, fold, heading, pill, trouble, waiting } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { may } from "../me.js";
import { clock, exact, isolated, moment } from "../kit/words.js";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const TONE = { debug: "idle", info: "idle", warning: "warn", error: "bad", critical: "bad" };
const LIVE_MS = 2000;
const SHOWN = 500;
const READ = 100;

function row(one) {
  const more = { ...one.fields, ...(one.trace ? { trace: one.trace } : {}) };
  return {
    node: el("li", { class: "log-line", "data-level": one.level },
      el("div", { class: "log-meta" }, pill(word("log.level", one.level.toLowerCase()), TONE[one.level.toLowerCase()] || "idle").node,
        el("time", { datetime: new Date(one.at_ms).toISOString(), title: moment(one.at_ms, 0) }, exact(one.at_ms)),
        el("span", {}, isolated(one.logger))),
      el("p", { class: "log-text" }, one.text),
      Object.keys(more).length ? fold(t("problem.more"), factList(Object.entries(more))) : ""),
  };
}

function askLevel(done) {
  form({
    title: t("loglevel.title"),
    text: t("loglevel.lead"),
    fields: [
      { name: "level", label: t("loglevel.level"), options: LEVELS.slice(0, 4).map((one) => [one, word("log.level", one)]), value: "debug" },
      { name: "logger", label: t("loglevel.logger"), maxlength: 100, placeholder: "hub.mqtt", hint: t("loglevel.logger.hint") },
      { name: "minutes", label: t("loglevel.for"), options: [["10", t("minutes", { n: 10 })], ["30", t("minutes", { n: 30 })], ["120", t("minutes", { n: 120 })]], value: "30" },
    ],
    yes: t("loglevel.yes"),
    act: async ({ level, logger, minutes }, close) => {
      await api.change("log", "level", { level, logger, for_s: Number(minutes) * 60 });
      close();
      say(t("loglevel.done"));
      done();
    },
  });
}

const levelWords = (levels) => levels.filter((one) => one.until_ms).map((one) => t("loglevel.until", {
  logger: one.logger || t("loglevel.all"), level: word("log.level", one.level), time: clock(one.until_ms),
})).join("; ");

function open(root) {
  const asked = { level: "info", text: "", logger: "" };
  let lines = [];
  let newest = 0;
  let older = null;
  let live = true;
  let turn = 0;

  const list = el("ol", { class: "log-lines", id: "log-lines" });
  const wrong = el("div");
  const nothing = el("div", {}, waiting());
  const rest = el("div", { class: "more-row" }, button(t("logs.older"), "plain", back));
  const note = el("p", { class: "quiet" });
  const pause = button(t("logs.pause"), "plain small", () => {
    live = !live;
    pause.textContent = t(live ? "logs.pause" : "logs.go");
    if (live) look();
  });

  function draw() {
    show(list, lines.length > 0);
    keyed(list, lines, (one) => one.number, row);
    nothing.replaceChildren(...(lines.length ? [] : [empty(t("logs.none"), t("logs.none.hint"))]));
    show(rest, Boolean(older) && lines.length < SHOWN);
  }

  function told(found) {
    const words = levelWords(found.levels);
    note.textContent = words;
    show(note, words !== "");
  }

  async function read(query, add, ask = api.read) {
    const mine = turn;
    try {
      const found = await ask("/api/1/logs", { ...asked, limit: READ, ...query });
      if (mine !== turn) return;
      wrong.replaceChildren();
      add(found);
      told(found);
      draw();
    } catch (error) {
      if (mine === turn && error.status !== 401) wrong.replaceChildren(trouble(error, () => again()));
    }
  }

  function again(ask) {
    turn += 1;
    return read({}, (found) => {
      lines = found.lines;
      newest = found.newest;
      older = found.next_before;
    }, ask);
  }

  function look() {
    if (!live) return null;
    if (!newest) return again(api.watch);
    return read({ after: newest }, (found) => {
      lines = [...found.lines, ...lines].slice(0, SHOWN);
      newest = found.newest;
    }, api.watch);
  }

  function back() {
    return read({ before: older }, (found) => {
      lines = [...lines, ...found.lines].slice(0, SHOWN);
      older = found.next_before;
    });
  }

  const search = searchBox(t("logs.search"), t("logs.search"), (text) => {
    asked.text = text;
    again();
  });
  search.input.maxLength = 100;
  root.append(
    heading(t("nav.logs"), may("log-level") ? button(t("loglevel.button"), "plain small", () => askLevel(() => again())) : ""),
    note,
    el("div", { class: "tools" }, search.node,
      choice(t("logs.level"), LEVELS.map((one) => [one, t("logs.from", { level: word("log.level", one) })]), (level) => {
        asked.level = level;
        again();
      }, asked.level), pause),
    wrong, el("section", { class: "card", "aria-label": t("nav.logs") }, list, nothing, rest),
  );
  show(note, false);
  show(rest, false);
  const stop = every(LIVE_MS, look);
  return {
    close() {
      turn += 1;
      stop();
    },
  };
}

export const page = { id: "logs", icon: "logs", open };
