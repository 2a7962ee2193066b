// A driver's options as fields, made from what the driver says each may be:
// "what it is: a, b or c; what it is when it isn't given", or "a, b or c: what it is; …".

import { t } from "../kit/t.js";
import { sentence } from "../kit/words.js";

const WORD = /^[a-z0-9][a-z0-9._+-]*$/i;
const RANGE = /(?:^|[\s,:])(-?\d+) to (-?\d+)/;
const WHOLE = /^-?\d+$/;
const TRUTHS = { yes: true, true: true, on: true, no: false, false: false, off: false };

const bare = (text) => text.replace(/\([^)]*\)/g, "").replace(/\s+/g, " ").trim();

// Two words or more with commas or "or" between; else null.
function listed(text) {
  const found = text.split(/,|\bor\b/).map((one) => one.trim()).filter(Boolean);
  return found.length > 1 && found.every((one) => WORD.test(one)) ? found : null;
}

// {what, standard, choices: [...] or null, whole: it is a number, least, most}
export function readHelp(help) {
  const at = help.lastIndexOf(";");
  const what = (at < 0 ? help : help.slice(0, at)).trim();
  const standard = at < 0 ? "" : help.slice(at + 1).replace(/ when it isn't given$/, "").trim();
  const given = bare(standard).split(" ")[0];
  const [before, ...after] = bare(what).split(":");
  // Words behind a colon may be parts of one value: they are choices where the usual one is theirs.
  const choices = listed(before) || after.map(listed).find((found) => found?.includes(given)) || null;
  const range = RANGE.exec(bare(what));
  return {
    what,
    standard,
    choices,
    truth: choices !== null && choices.every((one) => one in TRUTHS),
    whole: choices ? choices.every((one) => WHOLE.test(one)) : Boolean(range) || WHOLE.test(given),
    least: range?.[1],
    most: range?.[2],
  };
}

const UNITS = /_(mm|ms|s|g|bytes)$/;
const SAID = { qr: "QR", gs: "GS" };

// width_mm → Width, mm
function label(name) {
  const words = SAID[name] || name.replace(UNITS, ", $1").replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

const truth = (read, one) => (read.truth ? t(TRUTHS[one] ? "yes" : "no") : one);

const textOf = (read, value) => {
  if (value === undefined) return "";
  if (!read.truth || typeof value !== "boolean") return String(value);
  return read.choices.find((one) => TRUTHS[one] === value) || String(value);
};

const PREFIX = "option-";

// The fields for all options of a driver; `values` are those set already.
export function optionFields(driver, values = {}) {
  return Object.entries(driver.options).map(([name, help]) => {
    const read = readHelp(help);
    const value = textOf(read, values[name]);
    const usual = read.choices && read.choices.includes(read.standard) ? truth(read, read.standard) : read.standard;
    const standard = usual && usual !== "none" ? t("option.standard", { value: usual }) : t("option.none");
    const options = read.choices && [["", standard], ...read.choices.map((one) => [one, truth(read, one)])];
    if (options && value && !read.choices.includes(value)) options.push([value, value]);
    return {
      name: PREFIX + name,
      label: label(name),
      hint: sentence(read.what),
      value,
      options,
      placeholder: options ? undefined : standard,
      inputmode: read.whole && !options ? "numeric" : undefined,
      maxlength: options ? undefined : 200,
    };
  });
}

function valueOf(read, text) {
  if (read.truth && text in TRUTHS) return TRUTHS[text];
  return read.whole && WHOLE.test(text) ? Number(text) : text;
}

// What was typed, as the hub takes it; what is empty stays out.
export function optionValues(driver, typed) {
  const given = Object.entries(driver.options)
    .map(([name, help]) => [name, (typed[PREFIX + name] || "").trim(), readHelp(help)])
    .filter(([, text]) => text !== "");
  return Object.fromEntries(given.map(([name, text, read]) => [name, valueOf(read, text)]));
}
