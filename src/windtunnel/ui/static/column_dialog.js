/** Choosing the run table's columns. */

import { el } from "./dom.js";

/**
 * Open the dialog.
 * @param {object[]} columns - all there are
 * @param {string[]} chosen - keys of those shown
 * @param {function(string[])} onChange - takes the keys after each tick
 */
export function chooseColumns(columns, chosen, onChange) {
  const keys = new Set(chosen);
  const search = el("input", {
    type: "search",
    placeholder: "Find a column",
    "aria-label": "Find a column",
    on: { input: filter },
  });
  const boxes = columns.map((column) => choice(column, keys, () => onChange([...keys])));
  const close = el("button", { type: "button", on: { click: () => dialog.close() } }, "Done");
  const dialog = el("dialog", { class: "dialog", "aria-label": "Columns", on: { close: () => dialog.remove() } });
  dialog.append(
    el("h2", {}, "Columns"),
    search,
    el("div", { class: "choices" }, ...boxes),
    el("div", { class: "end" }, close),
  );
  document.body.append(dialog);
  dialog.showModal();

  function filter() {
    for (const box of boxes) box.hidden = !box.textContent.includes(search.value.trim().toLowerCase());
  }
}

function choice(column, keys, onChange) {
  const toggle = (event) => {
    if (event.target.checked) keys.add(column.key);
    else keys.delete(column.key);
    onChange();
  };
  const fixed = column.key === "name";
  const box = el("input", { type: "checkbox", checked: keys.has(column.key), disabled: fixed, on: { change: toggle } });
  const kind = column.field ? "config" : column.metric ? "metric" : "run";
  return el("label", {}, box, el("span", {}, column.label), el("small", {}, kind));
}
