// Card payments: what is at risk, what needs somebody, all of them; and one with its steps.

import { openList } from "../payments/list.js";
import { openPayment } from "../payments/one.js";

export const page = {
  id: "payments",
  icon: "payments",
  open: (root, what) => (what ? openPayment(root, what) : openList(root)),
};
