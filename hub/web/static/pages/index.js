// The pages in the order of the navigation; a new one is a file here and its name in this list.

const NAMES = ["overview", "devices", "stock", "sales", "orders", "payments", "printing", "peripherals", "cloud", "outages", "logs", "settings",
  "support"];

const files = await Promise.all(NAMES.map((name) => import(`./${name}.js`)));

// Each page: {id, icon, open(root, what) → {draw()?, close()?}}; draw() comes every second.
export const pages = files.map((one) => one.page);
