// Lists that are read from the hub page by page, search boxes, and looking again from time to time.

import * as api from "../api.js";
import { el, show } from "./dom.js";
import { icon } from "./icons.js";
import { button, trouble, waiting } from "./parts.js";
import { t } from "./t.js";

// load(cursor, ask) gives [items, next cursor or nothing]; draw(items) shows all that were read.
// restart() reads from the beginning; refresh() does so when nobody asked for it: it doesn't keep
// the session from ending.  What an older reading brings is dropped.
export function pagedList({ load, draw, none }) {
  const top = el("div");
  const rest = el("div", { class: "more-row" });
  const nothing = el("div");
  let items = [];
  let turn = 0;

  function end(next) {
    show(rest, Boolean(next));
    if (next) rest.replaceChildren(button(t("list.more"), "plain", () => grow(next)));
  }

  async function grow(cursor, ask = api.read) {
    const mine = (turn += 1);
    top.replaceChildren();
    if (!items.length) nothing.replaceChildren(waiting());
    try {
      const [found, next] = await load(cursor, ask);
      if (mine !== turn) return;
      items = cursor ? [...items, ...found] : found;
      draw(items);
      nothing.replaceChildren(...(items.length ? [] : [none()]));
      end(next);
    } catch (error) {
      if (mine !== turn || error.status === 401) return;
      if (!items.length) nothing.replaceChildren();
      top.replaceChildren(trouble(error, () => grow(cursor)));
    }
  }

  return {
    top, nothing, rest,
    restart: () => grow(undefined),
    refresh: () => grow(undefined, api.watch),
    stop: () => { turn += 1; },
  };
}

const PAGE = 30;

// A card with such a list, of one of several kinds: `rows` is a table, `path` gives { [items]: [...],
// next_cursor } for `which`; "all" comes first.  none() is for a list that is empty as a whole.
export function chosenList({ id, title, label, options, path, items, rows, keyOf, noneSuch, none }) {
  let wanted = "all";
  const shelf = el("div", { hidden: true }, rows.node);
  const list = pagedList({
    load: async (cursor, ask) => {
      const found = await ask(path, { which: wanted, cursor, limit: PAGE });
      return [found[items], found.next_cursor];
    },
    draw: (found) => {
      show(shelf, found.length > 0);
      rows.draw(found, keyOf);
    },
    none: () => (wanted !== "all" ? el("p", { class: "quiet" }, noneSuch) : none()),
  });
  const which = choice(label, options, (chosen) => {
    wanted = chosen;
    list.restart();
  });
  which.id = `${id}-which`;
  const node = el("section", { class: "card page-part", "aria-labelledby": `${id}-title` },
    el("div", { class: "part-head" }, el("h2", { id: `${id}-title` }, title), el("div", { class: "tools" }, which)),
    list.top, shelf, list.nothing, list.rest);
  return { node, list };
}

const PAUSE_MS = 300;

// act(text) once the person stopped typing.
export function searchBox(label, placeholder, act, value = "") {
  let waiting = 0;
  const input = el("input", {
    type: "search", "aria-label": label, placeholder, autocomplete: "off", spellcheck: "false", enterkeyhint: "search",
    on: {
      input: () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => act(input.value.trim()), PAUSE_MS);
      },
    },
  });
  input.value = value;
  return { node: el("div", { class: "search" }, icon("search"), input), input };
}

export function choice(label, options, act, value) {
  const made = el("select", { "aria-label": label, on: { change: () => act(made.value) } },
    options.map(([key, text]) => el("option", { value: key }, text)));
  if (value !== undefined) made.value = value;
  return made;
}

// Does `act` now and every so often, one after the other, and not while nobody looks; gives its end.
export function every(pauseMs, act) {
  let timer = 0;
  let over = false;
  async function turn() {
    if (!document.hidden) await act();
    if (!over) timer = setTimeout(turn, pauseMs);
  }
  turn();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

// A part of a page that is read once: waiting, then what `build` makes of it, or the trouble.
// refresh() reads it again when nobody asked for it; what was there stays until then.
export function readInto(root, read, build) {
  let turn = 0;
  async function go(ask = api.read) {
    const mine = (turn += 1);
    if (ask === api.read) root.replaceChildren(waiting());
    try {
      const found = await read(ask);
      if (mine === turn) root.replaceChildren(...[build(found)].flat().filter(Boolean));
    } catch (error) {
      if (mine === turn && error.status !== 401) root.replaceChildren(trouble(error, () => go()));
    }
  }
  const done = go();
  return { done, again: () => go(), refresh: () => go(api.watch), stop: () => { turn += 1; } };
}

// What stands at `path`, drawn in its place again and again: `nodes` say that it is waited for, or
// what is wrong.  look() reads it for the person, watch(pauseMs) now and every so often; it gives
// its end.
export function readLive(path, draw) {
  const wrong = el("div");
  const first = el("div", {}, waiting());
  const look = () => read(api.read);
  async function read(ask) {
    let found;
    try {
      found = await ask(path);
    } catch (error) {
      if (error.status === 401) return;
      first.replaceChildren();
      wrong.replaceChildren(trouble(error, look));
      return;
    }
    wrong.replaceChildren();
    first.replaceChildren();
    draw(found);
  }
  return { nodes: [wrong, first], look, watch: (pauseMs) => every(pauseMs, () => read(api.watch)) };
}
