/** The lines of the run table: rows that pass the filter, in order, under the heads of their groups. Pure. */

import { plural, value as showValue } from "./format.js";
import { groupRows, parseFilter, sortRows, summarise } from "./query.js";

/**
 * @param {object[]} rows - all runs
 * @param {object} state - {text, status, sort, descending, group, closed: set of group keys}
 * @param {Columns} columns - finds columns by name
 * @param {function(string): boolean} isMarked - whether a run's curves are drawn
 */
export function listItems(rows, state, columns, isMarked) {
  const passes = parseFilter(state.text, (name) => columns.find(name));
  const kept = rows.filter((row) => (!state.status || row.status === state.status) && passes(row));
  const sorted = sortRows(kept, columns.find(state.sort) ?? columns.find("started"), state.descending);
  const by = state.group && columns.find(state.group);
  if (!by) return { items: sorted.map((row) => rowItem(row, isMarked)), kept: sorted };
  const items = groupRows(sorted, by).flatMap((group) => groupItems(group, by, state, isMarked));
  return { items, kept: sorted };
}

function rowItem(row, isMarked) {
  const text = (column) => (column.text ?? showEpoch)(column.value?.(row), row);
  return { key: row.id, row, text, marked: () => isMarked(row.id) };
}

function groupItems(group, by, state, isMarked) {
  const key = `group:${by.key}:${group.key}`;
  const closed = state.closed.has(key);
  const title = `${by.label} = ${by.text(group.value)} · ${plural(group.rows.length, "run")}`;
  const text = (column) => groupText(column, group.rows, title);
  const head = { key, group: true, closed, title, titleColumn: "name", text, rows: group.rows };
  return closed ? [head] : [head, ...group.rows.map((row) => rowItem(row, isMarked))];
}

function groupText(column, rows, title) {
  if (column.key === "name") return title;
  if (column.key === "best_val_accuracy") return show(column, rows, "best", "most");
  return column.metric || column.key === "seconds" ? show(column, rows, "mean", "mean") : "";
}

function show(column, rows, word, figure) {
  const summary = summarise(rows, column);
  return summary ? `${word} ${column.text(summary[figure])}` : "";
}

function showEpoch(_, row) {
  return row.epochs ? `${showValue(row.epoch ?? 0)} / ${showValue(row.epochs)}` : showValue(row.epoch);
}
