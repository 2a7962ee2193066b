// A label for the shelf: how many, and where when there is a choice.

import * as api from "../api.js";
import { form, say } from "../kit/dialog.js";
import { button } from "../kit/parts.js";
import { t } from "../kit/t.js";
import { may } from "../me.js";

const COPIES_MAX = 20;

async function printers() {
  try {
    return (await api.read("/api/1/peripherals")).peripherals.filter((one) => one.kind === "printer");
  } catch (error) {
    if (error.status === 401) throw error;
    return [];
  }
}

async function open(product) {
  const found = await printers();
  const where = found.length < 2 ? [] : [{
    name: "printer", label: t("label.printer"),
    options: [["", t("label.printer.usual")], ...found.map((one) => [one.id, one.name])],
  }];
  form({
    title: t("label.title", { what: product.name || product.sku }),
    text: t("label.text"),
    fields: [
      { name: "copies", label: t("label.copies"), type: "number", value: "1", required: true, min: 1, max: COPIES_MAX },
      ...where,
    ],
    yes: t("label.yes"),
    async act({ copies, printer }, close) {
      const labels = [{ code: product.sku, copies: Number(copies) }];
      await api.change("print", "label", printer ? { labels, printer_id: printer } : { labels });
      close();
      say(t("label.done"));
    },
  });
}

// Null: there is nothing to print, or nobody here may.
export const labelButton = (product) => (may("printing") && product.active && product.price_minor !== undefined
  ? button(t("label.print"), "plain small", () => open(product))
  : null);
