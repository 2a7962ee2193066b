// Making and changing nodes.  Texts go in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function dress(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else if (name === "data") {
      for (const [key, text] of Object.entries(value)) node.dataset[key] = text;
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
}

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  dress(made, attributes);
  made.append(...children.flat(3).filter((one) => one || one === 0));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  dress(made, attributes);
  made.append(...children.flat().filter(Boolean));
  return made;
}

// Changes a text only if it is another: a screen reader isn't told of what stayed.
export function put(node, text) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

// A sentence in which `quoted` words are code.
export function prose(node, text) {
  redraw(node, text, () => text.split("`").map((part, index) => (index % 2 ? el("code", {}, part)
    : document.createTextNode(part))));
}

// A text in which `whole` isn't broken over lines, though it has a hyphen: a receipt's number.
export function unbroken(text, whole) {
  const at = whole ? text.indexOf(whole) : -1;
  if (at < 0) return [text];
  return [text.slice(0, at), el("span", { class: "nowrap" }, whole), text.slice(at + whole.length)].filter(Boolean);
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

export function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

const kept = new WeakMap();

// Rows that stay the same nodes while their items have the same key: focus and open details stay.
// make(item) gives {node, draw(item)}.
export function keyed(parent, items, keyOf, make) {
  const known = kept.get(parent) || new Map();
  const now = new Map();
  items.forEach((item, index) => {
    const key = keyOf(item);
    const row = known.get(key) || make(item);
    row.draw?.(item);
    now.set(key, row);
    if (parent.children[index] !== row.node) {
      parent.insertBefore(row.node, parent.children[index] || null);
    }
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  kept.set(parent, now);
}

// Draws only when what it draws from changed.
const drawn = new WeakMap();
export function redraw(node, from, draw) {
  const now = JSON.stringify(from);
  if (drawn.get(node) === now) return;
  drawn.set(node, now);
  node.replaceChildren(...[draw()].flat().filter(Boolean));
}
