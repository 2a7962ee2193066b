// The small parts that all pages share.

import { el, keyed, mark, put, show } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./t.js";

let ids = 0;
export const freshId = (prefix) => `${prefix}-${(ids += 1)}`;

export const button = (text, style, act, attributes = {}) =>
  el("button", { type: "button", class: style, on: { click: act }, ...attributes }, text);

// A state in a word or two, with its colour: good, notice, warn, bad, idle.
export function pill(text = "", tone = "idle") {
  const node = el("span", { class: "pill", "data-tone": tone }, text);
  return {
    node,
    draw(now, nowTone) {
      put(node, now);
      mark(node, "data-tone", nowTone);
    },
  };
}

// A card with a heading, a state beside it, one leading sentence and facts.
export function card(title, { name = "", wide = false, link = null } = {}) {
  const id = freshId("card");
  const state = pill();
  show(state.node, false);
  const heading = el("h2", { id }, title, state.node);
  const lead = el("p", { class: "lead", hidden: true });
  const list = el("dl", { class: wide ? "facts wide" : "facts" });
  const node = el("section", { class: `card ${name}`.trim(), "aria-labelledby": id }, heading,
    lead, list,
    link && el("p", { class: "card-link" }, el("a", { href: link.href }, link.text)));
  return {
    node,
    heading,
    list,
    draw({ tone, state: text, lead: sentence, facts: pairs }) {
      if (text !== undefined) {
        state.draw(text, tone);
        show(state.node, text !== "");
      }
      if (sentence !== undefined) {
        put(lead, sentence);
        show(lead, sentence !== "");
      }
      if (pairs) facts(list, pairs);
    },
  };
}

const said = (value) => value !== "" && value !== null && value !== undefined;

// Names and values; a value that isn't known leaves its line out.  Rows stay the same nodes.
export function facts(list, pairs) {
  const known = pairs.filter(([, value]) => said(value));
  show(list, known.length > 0);
  keyed(list, known, ([name]) => name, ([name]) => {
    const value = el("dd");
    return {
      node: el("div", {}, el("dt", {}, name), value),
      draw: ([, now]) => put(value, now),
    };
  });
}

export const factList = (pairs, className = "facts") => {
  const list = el("dl", { class: className });
  facts(list, pairs);
  return list;
};

// What an empty list says: what it would hold, and how it comes to hold it.
export const empty = (text, hint = "") =>
  el("div", { class: "empty" }, el("p", {}, text), hint && el("p", { class: "quiet" }, hint));

export const waiting = () => el("p", { class: "waiting", role: "status" }, t("looking"));

export function fold(title, ...content) {
  const summary = el("summary", {}, icon("chevron", "icon fold-mark"), el("span", {}, title));
  return el("details", { class: "fold" }, summary, el("div", { class: "fold-body" }, ...content));
}

export const heading = (title, ...aside) =>
  el("div", { class: "page-head" }, el("h1", { tabindex: "-1" }, title), ...aside);

export const backLink = (href, text) =>
  el("p", { class: "back" }, el("a", { href }, icon("back"), el("span", {}, text)));

// A table that becomes a list of cards where there is no room for columns.
// columns: [{title, cell(item) → node or text, name: "num" for numbers}]
export function table(columns, label) {
  const body = el("tbody");
  const node = el("div", { class: "table-wrap" },
    el("table", { class: "table", "aria-label": label },
      el("thead", {}, el("tr", {}, columns.map((one) =>
        el("th", { scope: "col", class: one.name }, one.title)))),
      body));
  return {
    node,
    draw(items, keyOf) {
      keyed(body, items, keyOf, () => {
        const cells = columns.map((one) => el("td", { class: one.name, "data-title": one.title }));
        return {
          node: el("tr", {}, cells),
          draw(item) {
            columns.forEach((one, index) => {
              const content = one.cell(item);
              if (content instanceof Node) cells[index].replaceChildren(content);
              else put(cells[index], content);
            });
          },
        };
      });
    },
  };
}

// What couldn't be read, and a way to try again.
export function trouble(error, again) {
  return el("div", { class: "trouble", role: "alert" }, el("p", {}, error.message),
    again && button(t("again"), "plain small", again));
}
