// Icons drawn with lines on a grid of 24; they take the colour of the text around them.

import { svg } from "./dom.js";

const PATHS = {
  overview: "M3 12h4l3-7 4 14 3-7h4",
  devices: "M7 3h10a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
  stock: "M3 8l9-5 9 5v8l-9 5-9-5zM3 8l9 5 9-5M12 13v8",
  sales: "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
  payments: "M3 6h18v12H3zM3 10h18M7 15h4",
  orders: "M5 8h14l-1 12H6zM9 8V7a3 3 0 0 1 6 0v1M9.5 14l2 2 3.5-4",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5V12l3 2",
  cloud: "M7 18a4 4 0 0 1-.5-8 6 6 0 0 1 11.3 1.2A3.5 3.5 0 0 1 17 18z",
  logs: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  support: "M12 21a9 9 0 1 1 9-9M9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.7.3-1.1.8-1.1 1.7M12 16.5h.01M18 15v6M15 18h6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  ok: "M5 12.5l4.5 4.5L19 7.5",
  notice: "M12 11v6M12 7h.01",
  warning: "M12 6v7.5M12 17.5h.01",
  critical: "M12 5v8.5M12 18h.01",
  unknown: "M9 9a3 3 0 1 1 4.4 2.7c-.9.4-1.4 1-1.4 2.3M12 17.5h.01",
  lan: "M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4",
  router: "M4 14h16v6H4zM8 17h.01M12 17h.01M12 14v-4M8.5 7.5a5 5 0 0 1 7 0M6 5a8.5 8.5 0 0 1 12 0",
  dns: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01M12 7h4M12 17h4",
  internet: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  oms: "M7 18a4 4 0 0 1-.5-8 6 6 0 0 1 11.3 1.2A3.5 3.5 0 0 1 17 18z",
  step: "M5 12h13M13 7l5 5-5 5",
  close: "M6 6l12 12M18 6L6 18",
  chevron: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
  till: "M4 5h16v10H4zM8 19h8M12 15v4",
  kiosk: "M7 2h10v14H7zM12 16v4M8 21h8",
  scanner: "M4 6v12M8 6v12M11 6v12M15 6v12M17.5 6v12M20 6v12",
  printer: "M7 8V3h10v5M5 8h14v8h-3M8 16H5V8M8 13h8v8H8z",
  display: "M3 5h18v11H3zM9 20h6",
  terminal: "M7 3h10v18H7zM9.5 6h5v4h-5zM10 13.5h.01M12 13.5h.01M14 13.5h.01M10 16.5h.01M12 16.5h.01M14 16.5h.01",
  drawer: "M3 9h18v10H3zM3 14h18M10 16.5h4M6 9V5h12v4",
  scale: "M5 20h14l-2-9H7zM6 7h12M12 7v4M10.5 15.5h3",
  peripherals: "M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3",
  service: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2",
  box: "M4 6h16v12H4zM8 14h.01M12 14h4",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  cut: "M7 18a4 4 0 0 1-.5-8 6 6 0 0 1 11.3 1.2A3.5 3.5 0 0 1 17 18zM3 3l18 18",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 15v2",
  leave: "M10 4H5v16h5M10 12h10M16 8l4 4-4 4",
};

export function icon(name, className = "icon") {
  return svg("svg", { class: className, viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] || PATHS.unknown }));
}
