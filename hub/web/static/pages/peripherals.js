// Peripherals: what hangs on this box; one of them whole; setting one up or changing it.

import { openDetail } from "../peripherals/detail.js";
import { openForm } from "../peripherals/form.js";
import { ADD, openList } from "../peripherals/list.js";

const CHANGE = "/change";

function open(root, what) {
  if (!what) return openList(root);
  if (what === ADD) return openForm(root);
  if (what.endsWith(CHANGE)) return openForm(root, what.slice(0, -CHANGE.length));
  return openDetail(root, what);
}

export const page = { id: "peripherals", icon: "peripherals", open };
