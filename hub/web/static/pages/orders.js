// Online orders that this shop serves: what is open, what is missing; and one with what happened.

import { openList } from "../orders/list.js";
import { openOrder } from "../orders/one.js";

export const page = {
  id: "orders",
  icon: "orders",
  open: (root, what) => (what ? openOrder(root, what) : openList(root)),
};
