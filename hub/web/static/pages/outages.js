// Outages: when the cloud was cut off, and the report of each.

import { openList } from "../outages/list.js";
import { openReport } from "../outages/report.js";

export const page = {
  id: "outages",
  icon: "cut",
  open: (root, what) => (what ? openReport(root, what) : openList(root)),
};
