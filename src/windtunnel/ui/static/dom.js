/** Elements out of plain values. Text goes in as text nodes only, so nothing that a run is called can become markup. */

/**
 * Build an element.
 * @param {string} tag - tag name
 * @param {object} [attributes] - attributes; `on` holds listeners by event name; null and false are left out
 * @param {...(Node|string|number|null)} children - nodes, or text
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  append(node, children);
  return node;
}

/** Replace what is inside a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** Set text only where it differs, so that a selection or a screen reader is not disturbed. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Say something in passing, at the foot of the page. */
export function note(text) {
  const line = el("p", { class: "note" }, text);
  const box = document.getElementById("notes");
  box.append(line);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(() => line.remove(), 8000);
}

/** A button that copies text. */
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "small", on: { click: copy } }, label);
  async function copy() {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  }
  return button;
}

/** A command to type, with its copy button. */
export function commandLine(command) {
  return el("div", { class: "command" }, el("code", {}, command), copyButton(command));
}

/** What stands where nothing is to be shown yet: why, and what to do. */
export function emptyState(title, ...rest) {
  return el("div", { class: "empty" }, el("p", { class: "empty-title" }, title), ...rest);
}

/** A table of few rows; cells are texts or nodes. */
export function plainTable(label, heads, rows) {
  const line = (cells) => el("tr", {}, ...cells.map((cell, at) => el("td", { class: heads[at].class ?? null }, cell)));
  const head = el("tr", {}, ...heads.map((one) => el("th", { scope: "col", class: one.class ?? null }, one.label)));
  const table = el("table", { class: "plain", "aria-label": label }, el("thead", {}, head));
  table.append(el("tbody", {}, ...rows.map(line)));
  return el("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": label }, table);
}

function append(node, children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) {
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
}

function setAttribute(node, name, value) {
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (value !== null && value !== undefined && value !== false) {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}
