// Printing: all jobs, and one of them whole.

import { openJob } from "../printing/job.js";
import { openList } from "../printing/list.js";

export const page = {
  id: "printing",
  icon: "printer",
  open: (root, what) => (what ? openJob(root, what) : openList(root)),
};
