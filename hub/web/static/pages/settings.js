// Settings: what is in force, where it comes from and what it means.  They are changed in the file.

import * as api from "../api.js";
import { el, prose, show } from "../kit/dom.js";
import { readInto, searchBox } from "../kit/list.js";
import { empty, heading, pill } from "../kit/parts.js";
import { t } from "../kit/t.js";

function value(one) {
  if (one.is_secret) return el("span", { class: "quiet" }, t(one.is_set ? "settings.secret" : "settings.nosecret"));
  return one.value === "" ? el("span", { class: "quiet" }, t("settings.unset")) : el("code", { dir: "ltr" }, one.value);
}

function described(text) {
  const node = el("p");
  prose(node, text);
  return node;
}

const row = (one) => el("div", { class: "setting" },
  el("dt", {}, el("code", {}, one.name), one.is_default ? "" : pill(t("settings.own"), "notice").node),
  el("dd", {}, el("p", { class: "setting-value" }, value(one)),
    described(one.what),
    el("p", { class: "quiet" }, [
      one.is_default ? "" : t("settings.origin", { origin: one.origin }),
      one.is_default || one.is_secret || !one.default ? "" : t("settings.default", { value: one.default }),
      one.expected ? t("settings.expected", { expected: one.expected }) : "",
    ].filter(Boolean).join(" · "))));

function build(found) {
  const sections = [...new Set(found.settings.map((one) => one.section))];
  const cards = sections.map((section) => {
    const rows = found.settings.filter((one) => one.section === section).map((one) => [one, row(one)]);
    return { rows, node: el("section", { class: "card" }, el("h2", {}, el("code", {}, `[${section}]`)),
      el("dl", { class: "settings" }, rows.map(([, node]) => node))) };
  });
  const nothing = el("div");
  let own = false;
  let wanted = "";

  function filter() {
    let any = false;
    for (const card of cards) {
      let here = false;
      for (const [one, node] of card.rows) {
        const fits = (!own || !one.is_default)
          && `${one.key} ${one.what} ${one.value}`.toLowerCase().includes(wanted.toLowerCase());
        show(node, fits);
        here ||= fits;
      }
      show(card.node, here);
      any ||= here;
    }
    nothing.replaceChildren(...(any ? [] : [empty(t("search.nothing"))]));
  }

  const only = el("input", { type: "checkbox", on: { change: () => { own = only.checked; filter(); } } });
  return [
    el("p", { class: "page-lead" }, t("settings.lead", { file: found.file })),
    el("div", { class: "tools" },
      searchBox(t("settings.search"), t("settings.search"), (text) => { wanted = text; filter(); }).node,
      el("label", { class: "check-label" }, only, t("settings.only"))),
    el("div", { class: "setting-cards" }, cards.map((one) => one.node)), nothing,
  ];
}

function open(root) {
  const body = el("div");
  root.append(heading(t("nav.settings")), body);
  const reading = readInto(body, () => api.read("/api/1/settings"), build);
  return { close: reading.stop };
}

export const page = { id: "settings", icon: "settings", open };
