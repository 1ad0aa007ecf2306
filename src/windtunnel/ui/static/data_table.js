/** A table of many rows of which only those in sight are in the page, sorted by its heads, walked by arrow keys. */

import { el, fill, setText } from "./dom.js";

const ROW_HEIGHT = 34;
const BEYOND_SIGHT = 8;
let tables = 0;

/**
 * Items are {key, cells(column): text, row} for a row and {key, group: true, ...} for a head of a group.
 * What a cell of a special kind looks like is the owner's: `paint(cell, item, column)` fills it and says so by true.
 */
export class DataTable {
  #options;
  #widths;
  #head;
  #body;
  #table;
  #columns = [];
  #items = [];
  #active = -1;
  #shown = new Map();
  #above = spacer();
  #below = spacer();
  #frame = 0;
  #prefix = `table-${++tables}`;
  #size = new ResizeObserver(() => this.#schedule());

  /**
   * @param {object} options
   * @param {string} options.label - what the rows are
   * @param {function} options.paint - (cell, item, column): fills the cell
   * @param {function} options.onOpen - (item): Enter
   * @param {function} options.onMark - (item): space
   * @param {function} options.onSort - (column key): a head was pressed
   */
  constructor(options) {
    this.#options = options;
    this.#widths = el("colgroup");
    this.#head = el("tr", { role: "row" });
    this.#body = el("tbody", { role: "rowgroup" });
    this.#table = el("table", { class: "data", role: "grid", "aria-label": options.label, tabindex: "0" });
    this.#table.append(this.#widths, el("thead", { role: "rowgroup" }, this.#head), this.#body);
    this.element = el("div", { class: "data-scroll" }, this.#table);
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.#table.addEventListener("keydown", (event) => this.#press(event));
    const markFocus = () => this.element.classList.toggle("focused", this.#table.matches(":focus-visible"));
    for (const event of ["focus", "blur"]) this.#table.addEventListener(event, markFocus);
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#size.observe(this.element);
  }

  /** Show these columns, sorted as said: {key, descending}. */
  setColumns(columns, sort) {
    const same = columns.length === this.#columns.length && columns.every((one, at) => one === this.#columns[at]);
    this.#columns = columns;
    const narrow = matchMedia("(max-width: 600px)").matches;
    const widths = columns.map((column) => (narrow && column.narrow) || column.width);
    fill(this.#widths, ...columns.map((column, at) => columnWidth(column, widths[at])));
    this.#table.style.minWidth = `${widths.reduce((sum, width) => sum + width, 0)}px`;
    this.#drawHead(sort);
    if (!same) {
      this.#body.replaceChildren(this.#above, this.#below);
      this.#shown.clear();
    }
    this.#schedule();
  }

  /** Show these items; the item that was active stays so. */
  setItems(items) {
    const key = this.#items[this.#active]?.key;
    this.#items = items;
    this.#active = key === undefined ? -1 : items.findIndex((item) => item.key === key);
    this.#table.setAttribute("aria-rowcount", items.length + 1);
    this.#render();
  }

  destroy() {
    this.#size.disconnect();
  }

  #drawHead(sort) {
    const heads = this.#columns.map((column) => {
      const sorted = sort?.key === column.key ? (sort.descending ? "descending" : "ascending") : null;
      const cell = el("th", { scope: "col", role: "columnheader", "aria-sort": sorted, class: cellClass(column) });
      if (column.head) return fill(cell, column.head()) && cell;
      const arrow = el("i", { "aria-hidden": "true" }, sorted ? (sort.descending ? "▼" : "▲") : "");
      const press = { click: () => this.#options.onSort(column.key) };
      cell.append(
        el(
          "button",
          { type: "button", title: column.label, "data-column": column.key, on: press },
          column.label,
          arrow,
        ),
      );
      return cell;
    });
    const focused = this.#head.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    fill(this.#head, ...heads);
    if (focused) this.#head.querySelector(`[data-column="${CSS.escape(focused)}"]`)?.focus();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.#render());
  }

  #render() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - BEYOND_SIGHT);
    const room = Math.ceil((this.element.clientHeight || 400) / ROW_HEIGHT) + 2 * BEYOND_SIGHT;
    const last = Math.min(this.#items.length, first + room);
    const wanted = new Map(this.#items.slice(first, last).map((item, at) => [item.key, first + at]));
    const free = this.#takeOut(wanted);
    let place = this.#above;
    for (const [key, at] of wanted) {
      const item = this.#items[at];
      const line = this.#shown.get(key) ?? free.get(Boolean(item.group))?.pop() ?? this.#buildLine(item);
      this.#shown.set(key, line);
      if (line.painted !== item) this.#paintLine(line, item, at);
      line.classList.toggle("active", at === this.#active);
      if (place.nextSibling !== line) place.after(line);
      place = line;
    }
    for (const unused of [...free.values()].flat()) unused.remove();
    setHeight(this.#above, first);
    setHeight(this.#below, this.#items.length - last);
    this.#sayActive();
  }

  /** Lines that are no longer in sight, to be used again: {whether of a group: lines}. */
  #takeOut(wanted) {
    const free = new Map([
      [true, []],
      [false, []],
    ]);
    for (const [key, line] of this.#shown) {
      if (wanted.has(key) && line.ofGroup === Boolean(this.#items[wanted.get(key)].group)) continue;
      this.#shown.delete(key);
      free.get(line.ofGroup).push(line);
    }
    return free;
  }

  #buildLine(item) {
    const line = el("tr", { role: "row", class: item.group ? "group" : null });
    line.ofGroup = Boolean(item.group);
    for (const column of this.#columns) line.append(el("td", { role: "gridcell", class: cellClass(column) }));
    return line;
  }

  #paintLine(line, item, at) {
    line.id = `${this.#prefix}-${at}`;
    line.dataset.key = item.key;
    line.setAttribute("aria-rowindex", at + 2);
    line.painted = item;
    if (item.group) line.setAttribute("aria-expanded", String(!item.closed));
    if (item.marked !== undefined) line.setAttribute("aria-selected", String(item.marked()));
    this.#columns.forEach((column, index) => {
      const cell = line.children[index];
      if (!this.#options.paint(cell, item, column)) setText(cell, item.text(column));
    });
  }

  #click(event) {
    const line = event.target.closest("tr[data-key]");
    if (!line || event.target.closest("a")) return;
    this.#active = this.#items.findIndex((item) => item.key === line.dataset.key);
    if (event.target.closest("input, button")) return;
    const item = this.#items[this.#active];
    (item.group ? this.#options.onOpen : this.#options.onMark)(item);
    this.#render();
  }

  #press(event) {
    if (event.target !== this.#table || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const item = this.#items[this.#active];
    if (event.key in moves) this.#move(moves[event.key]);
    else if (event.key === "Enter" && item) this.#options.onOpen(item);
    else if (event.key === " " && item) this.#options.onMark(item);
    else return;
    event.preventDefault();
  }

  #move(by) {
    const wanted = this.#active < 0 ? 0 : this.#active + by;
    this.#active = Math.min(this.#items.length - 1, Math.max(0, wanted));
    const top = this.#active * ROW_HEIGHT;
    const room = this.element.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top > this.element.scrollTop + room) this.element.scrollTop = top - room;
    this.#render();
  }

  #sayActive() {
    const line = this.#shown.get(this.#items[this.#active]?.key);
    if (line) this.#table.setAttribute("aria-activedescendant", line.id);
    else this.#table.removeAttribute("aria-activedescendant");
  }
}

function columnWidth(column, width) {
  const one = el("col");
  if (!column.grows) one.style.width = `${width}px`;
  return one;
}

function cellClass(column) {
  return `${column.number ? "number" : ""} column-${column.key.replaceAll(/[^\w]/g, "-")}`.trim();
}

function spacer() {
  return el("tr", { class: "spacer", "aria-hidden": "true" }, el("td"));
}

function setHeight(line, rows) {
  const height = `${rows * ROW_HEIGHT}px`;
  if (line.firstChild.style.height !== height) line.firstChild.style.height = height;
}
