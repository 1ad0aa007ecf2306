/** How the cells of a run table look. */

import { el, setText } from "./dom.js";
import { link } from "./router.js";
import { showStatus, statusBadge } from "./status.js";

/**
 * The painter of a run table's cells.
 * @param {Selection} selection - the runs whose curves are drawn
 * @param {function(object)} onMark - a row's box was ticked
 * @param {function(string): boolean} isComparison - whether an id is a comparison's
 */
export function runPainter(selection, onMark, isComparison) {
  const special = {
    mark: (cell, item) => paintMark(cell, item, selection, onMark),
    status: (cell, item) =>
      showStatus(
        inside(cell, () => statusBadge(item.row.status)),
        item.row.status,
      ),
    name: paintName,
    parent: (cell, item) => paintParent(cell, item, isComparison),
    epoch: paintEpoch,
  };
  return (cell, item, column) => {
    if (item.group) return paintGroup(cell, item, column);
    if (!special[column.key]) return false;
    special[column.key](cell, item);
    return true;
  };
}

/** The column of boxes that put a run's curves on the page. */
export function markColumn(head) {
  return { key: "mark", label: "curves", width: 40, narrow: 34, value: () => null, text: () => "", head };
}

function paintMark(cell, item, selection, onMark) {
  const box = inside(cell, () => el("input", { type: "checkbox", tabindex: "-1" }));
  box.onchange = () => onMark(item);
  const marked = selection.has(item.row.id);
  box.checked = marked;
  box.style.accentColor = marked ? selection.colour(item.row.id) : "";
  box.setAttribute("aria-label", `draw the curves of ${item.row.name}`);
}

function paintName(cell, { row }) {
  const anchor = inside(cell, () => el("a", { tabindex: "-1" }));
  anchor.href = link("run", { id: row.id });
  anchor.title = row.id;
  setText(anchor, shortName(row));
}

function paintParent(cell, { row }, isComparison) {
  if (!row.parent) {
    setText(cell, "–");
    return;
  }
  const anchor = inside(cell, () => el("a", { tabindex: "-1" }));
  anchor.href = link(isComparison(row.parent) ? "comparison" : "sweep", { id: row.parent });
  anchor.title = row.parent;
  setText(anchor, lastPart(row.parent));
}

function paintEpoch(cell, item) {
  const { row } = item;
  setText(cell, item.text({ key: "epoch" }));
  const share = row.status === "running" && row.epochs ? Math.min(1, (row.epoch ?? 0) / row.epochs) : 0;
  cell.style.setProperty("--share", `${share * 100}%`);
  cell.classList.toggle("progress", share > 0);
}

function paintGroup(cell, item, column) {
  if (column.key === "mark") setText(cell, item.closed ? "▸" : "▾");
  else setText(cell, item.text(column));
  cell.classList.toggle("group-title", column.key === item.titleColumn);
  return true;
}

/** The last part of an id: the folder's own name. */
export function lastPart(id) {
  return id.split("/").at(-1);
}

/** A run's name, with its folder's where a sweep or comparison calls many alike. */
export function shortName(row) {
  const folder = lastPart(row.id);
  return row.parent && folder !== row.name ? `${row.name} ${folder}` : row.name;
}

function inside(cell, build) {
  if (cell.firstElementChild === null) cell.replaceChildren(build());
  return cell.firstElementChild;
}
