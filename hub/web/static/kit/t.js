// Texts by key.  Another language is another file beside texts/en.js, chosen here.

import { language, direction, texts } from "../texts/en.js";

// Numbers and dates follow the reader's own region if it speaks the language of the texts.
export const locale = (navigator.languages || []).find((one) => one.startsWith(language))
  || language;

const plural = new Intl.PluralRules(language);
const number = new Intl.NumberFormat(locale);

// A text with its values put in.  A text with forms (one, other) chooses by the value `n`.
export function t(key, values = {}) {
  const found = texts[key];
  if (found === undefined) return key;
  const text = typeof found === "string" ? found
    : found[plural.select(values.n)] ?? found.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number.format(value) : value ?? "";
  });
}

// A word the hub uses for a state; one that isn't known here is shown as it is.
export const word = (prefix, key) => (texts[`${prefix}.${key}`] ? t(`${prefix}.${key}`) : key);

export function speak(root) {
  root.lang = language;
  root.dir = direction;
}

// An event's type as the cloud knows it (com.storehub.sale.completed.v1) in words.
export function eventName(type) {
  const short = type.replace(/^com\.storehub\./, "").replace(/\.v\d+$/, "");
  return word("event", short);
}
