// How numbers and times read.

import { direction } from "../texts/en.js";
import { locale, t } from "./t.js";

export function money(minor, currency) {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

export const count = (value) => new Intl.NumberFormat(locale).format(value);

export const decimal = (value, digits = 1) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${decimal(size, size >= 10 || unit === 0 ? 0 : 1)} ${units[unit]}`;
}

const unit = (value, name) => new Intl.NumberFormat(locale, {
  style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: 0,
}).format(value);

// Figures stay in one line with their unit.
const together = (text) => text.replaceAll(" ", "\u00a0");

// How long, in the largest unit that still says something.
export const span = (ms) => together(length(ms));

function length(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 90) return unit(seconds, "second");
  if (seconds < 5400) return unit(Math.floor(seconds / 60), "minute");
  if (seconds < 172800) return unit(Math.floor(seconds / 3600), "hour");
  return unit(Math.floor(seconds / 86400), "day");
}

// How long in its two largest units: what a report says (2 hr 28 min).
export function lasting(ms) {
  const minutes = Math.round(ms / 60000);
  if (minutes < 2) return span(ms);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = [[days, "day"], [hours, "hour"], [days ? 0 : rest, "minute"]].filter(([value]) => value);
  return parts.map(([value, name]) => together(unit(value, name))).join(" ");
}

// What is left, to the second: 9:05.
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export const ago = (ms) => (ms < 5000 ? t("time.now") : t("time.ago", { span: span(ms) }));

export const clock = (ms) =>
  together(new Date(ms).toLocaleTimeString(locale, { timeStyle: "short" }));

// A time within a week: Thu 6:29 PM.
export const weekClock = (ms) =>
  new Date(ms).toLocaleString(locale, { weekday: "short", hour: "numeric", minute: "2-digit" });

export const exact = (ms) =>
  new Date(ms).toLocaleTimeString(locale, { timeStyle: "medium" });

export const day = (ms) =>
  new Date(ms).toLocaleDateString(locale, { dateStyle: "medium" });

const HALF_A_YEAR_MS = 183 * 86400000;

// The time of today, or day and time; the year only where it isn't plain.
export function moment(ms, nowMs = Date.now()) {
  const at = new Date(ms);
  if (at.toDateString() === new Date(nowMs).toDateString()) return clock(ms);
  const near = Math.abs(nowMs - ms) < HALF_A_YEAR_MS;
  return at.toLocaleString(locale, near
    ? { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }
    : { dateStyle: "medium", timeStyle: "short" });
}

const SHORT = 20;

// From when to when, each day said once: "9:12 – 11:40 AM", with its day unless it is today.
export function interval(fromMs, toMs, nowMs = Date.now()) {
  const today = (ms) => new Date(ms).toDateString() === new Date(nowMs).toDateString();
  const format = new Intl.DateTimeFormat(locale, today(fromMs) && today(toMs) ? { timeStyle: "short" }
    : { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
  const text = format.formatRange(fromMs, toMs);
  return text.length <= SHORT ? text.replace(/\s/g, "\u00a0") : text;
}

const HOUR_MS = 3600000;

// Where an axis is marked: every six hours of a day, or every midnight of a week; not at its ends.
export function ticksOf(fromMs, toMs) {
  const long = toMs - fromMs > 48 * HOUR_MS;
  const margin = (toMs - fromMs) * 0.035;
  const at = new Date(fromMs);
  at.setMinutes(0, 0, 0);
  const found = [];
  for (; at.getTime() < toMs - margin; at.setHours(at.getHours() + 1)) {
    if (at.getTime() < fromMs + margin || at.getHours() % (long ? 24 : 6)) continue;
    found.push({
      at: at.getTime(),
      label: long ? at.toLocaleDateString(locale, { weekday: "short" }) : clock(at.getTime()),
    });
  }
  return found;
}

// The hub's own words as a sentence.  An address stays as it is written.
export const sentence = (text) => text
  && `${/^\w+:\/\//.test(text) ? text[0] : text[0].toUpperCase()}${text.slice(1)}${
    /[.!?…]$/.test(text) ? "" : "."}`;

// An id reads the same inside a text from right to left.  Elsewhere it stays as it is: it may be
// copied.
export const isolated = (text) => (direction === "rtl" ? `\u2068${text}\u2069` : text);

// A quantity in base units: 1250 with three decimals of kg reads 1.25 kg.
export function quantity(value, scale = 0, uom = "") {
  const shown = new Intl.NumberFormat(locale, { maximumFractionDigits: scale }).format(value / 10 ** scale);
  return uom && uom !== "pcs" && uom !== "each" ? `${shown} ${uom}` : shown;
}

export const signed = (value, scale = 0) => (value > 0 ? `+${quantity(value, scale)}` : quantity(value, scale));

// A business day as the hub names it (2026-11-22): a calendar day, whatever the zone.
export const businessDay = (text, options = { dateStyle: "medium" }) =>
  new Date(`${text}T00:00:00Z`).toLocaleDateString(locale, { ...options, timeZone: "UTC" });
