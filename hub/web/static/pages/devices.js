// Devices: the list, pairing, and one device whole.

import { openDetail } from "../devices/detail.js";
import { openList } from "../devices/list.js";

export const page = {
  id: "devices",
  icon: "devices",
  open: (root, what) => (what ? openDetail(root, what) : openList(root)),
};
