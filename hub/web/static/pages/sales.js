// Sales: the days, the sales of one, baskets that are open; one sale or basket whole.

import { openBasket } from "../sales/basket.js";
import { openList } from "../sales/list.js";
import { openSale } from "../sales/sale.js";

const BASKET = "basket/";

function open(root, what) {
  if (what.startsWith(BASKET)) return openBasket(root, what.slice(BASKET.length));
  return what ? openSale(root, what) : openList(root);
}

export const page = { id: "sales", icon: "sales", open };
