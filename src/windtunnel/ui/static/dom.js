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

/** Replace what is inside a node; what had the focus keeps it, and scrolled tables their place, if still there. */
export function fill(node, ...children) {
  const restore = [keepFocus(node), keepScroll(node)];
  node.replaceChildren();
  append(node, children);
  for (const again of restore) again();
  return node;
}

function keepFocus(node) {
  const before = document.activeElement;
  if (before === node || !node.contains(before)) return () => undefined;
  const path = [];
  for (let at = before; at !== node; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return () => {
    const after = path.reduce((at, index) => at?.children[index], node);
    if (after?.tagName === before.tagName && after.textContent === before.textContent)
      after.focus({ preventScroll: true });
  };
}

function keepScroll(node) {
  const places = [...node.querySelectorAll(".scroll-x")].map((one) => one.scrollLeft);
  if (places.every((left) => left === 0)) return () => undefined;
  return () => [...node.querySelectorAll(".scroll-x")].forEach((one, at) => (one.scrollLeft = places[at] ?? 0));
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
    button.textContent = (await copyText(text)) ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = label), 1500);
  }
  return button;
}

/** Copy text and say whether that worked; pages of other machines without https have no clipboard of their own. */
async function copyText(text) {
  if (navigator.clipboard)
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  const box = el("textarea", { class: "hidden" }, text);
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  return copied;
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
