// Stock: finding a product, what is to be counted; one product with its ledger.

import { openList } from "../stock/list.js";
import { openProduct } from "../stock/product.js";

export const page = {
  id: "stock",
  icon: "stock",
  open: (root, what) => (what ? openProduct(root, what) : openList(root)),
};
