/** The lists of sweeps and of comparisons. */

import { DataTable } from "./data_table.js";
import { commandLine, el, emptyState, setText } from "./dom.js";
import { metric, number, plural, shortMoment, value as showValue } from "./format.js";
import { sortRows } from "./query.js";
import { link } from "./router.js";
import { endedOf, showStatus, statusBadge, sweepState } from "./status.js";

const SWEEP_COLUMNS = [
  { key: "status", label: "status", width: 112, narrow: 34, value: sweepState, text: showValue },
  { key: "name", label: "sweep", width: 240, narrow: 150, grows: true, value: (row) => row.name, text: showValue },
  {
    key: "done",
    label: "runs ended",
    width: 110,
    number: true,
    value: endedOf,
    text: (value, row) => (row.total ? `${value} / ${row.total}` : value),
  },
  { key: "running", label: "running", width: 84, number: true, value: (row) => row.running, text: number },
  { key: "waiting", label: "waiting", width: 84, number: true, value: (row) => row.waiting, text: number },
  {
    key: "best",
    label: "best",
    width: 100,
    number: true,
    value: (row) => row.best,
    text: (value, row) => metric(row.metric ?? "", value),
  },
  { key: "metric", label: "metric", width: 150, value: (row) => row.metric, text: showValue },
  { key: "updated", label: "updated", width: 122, number: true, value: (row) => row.updated, text: shortMoment },
];

const COMPARISON_COLUMNS = [
  { key: "name", label: "comparison", width: 200, narrow: 140, value: (row) => row.name, text: showValue },
  { key: "designs", label: "designs", width: 190, value: (row) => row.designs?.join(" · "), text: showValue },
  { key: "trials", label: "trials", width: 72, number: true, value: (row) => row.trials, text: number },
  { key: "verdict", label: "verdict", width: 320, grows: true, value: (row) => row.verdict, text: showValue },
  { key: "updated", label: "updated", width: 122, number: true, value: (row) => row.updated, text: shortMoment },
];

/** The view of all sweeps. */
export class SweepsView {
  title = "Sweeps";

  constructor(app) {
    const hint = "A sweep trains many settings of one recipe, as many at a time as fit.";
    this.list = new List(app, {
      kind: "sweep",
      rows: () => app.store.sweeps,
      columns: SWEEP_COLUMNS,
      hint,
      command: "windtunnel sweep quickstart_sweep",
    });
    this.element = this.list.element;
  }

  destroy() {
    this.list.destroy();
  }
}

/** The view of all comparisons. */
export class ComparisonsView {
  title = "Comparisons";

  constructor(app) {
    const hint =
      "A comparison trains two designs in turn and says which is better, and how sure that is. " +
      "Ablations and times to an accuracy are listed here, too.";
    const command = "windtunnel compare quickstart mine.yaml";
    this.list = new List(app, {
      kind: "comparison",
      rows: () => app.store.comparisons,
      columns: COMPARISON_COLUMNS,
      hint,
      command,
    });
    this.element = this.list.element;
  }

  destroy() {
    this.list.destroy();
  }
}

class List {
  #app;
  #options;
  #count;
  #table;
  #empty;
  #ended = new AbortController();
  #sort = { key: "updated", descending: true };

  constructor(app, options) {
    this.#options = options;
    this.#app = app;
    const title = `${options.kind[0].toUpperCase()}${options.kind.slice(1)}s`;
    this.#count = el("span", { class: "count" });
    this.#table = new DataTable({
      label: title,
      paint: (cell, item, column) => this.#paint(cell, item, column),
      onOpen: (item) => (location.hash = link(options.kind, { id: item.key })),
      onMark: (item) => (location.hash = link(options.kind, { id: item.key })),
      onSort: (key) => this.#sortBy(key),
    });
    this.#table.element.classList.add("tall");
    this.#empty = emptyState(`No ${options.kind}s yet`, el("p", {}, options.hint), commandLine(options.command));
    const head = el("div", { class: "heading" }, el("h1", { tabindex: "-1" }, title), this.#count);
    this.element = el("div", { class: "view" }, head, this.#empty, this.#table.element);
    app.store.addEventListener("change", () => this.#refresh(), { signal: this.#ended.signal });
    this.#refresh();
  }

  destroy() {
    this.#ended.abort();
    this.#table.destroy();
  }

  #refresh() {
    const { columns, kind } = this.#options;
    const rows = [...this.#options.rows().values()];
    const sorted = sortRows(
      rows,
      columns.find((column) => column.key === this.#sort.key),
      this.#sort.descending,
    );
    this.#table.setColumns(columns, this.#sort);
    this.#table.setItems(
      sorted.map((row) => ({ key: row.id, row, text: (column) => column.text(column.value(row), row) })),
    );
    setText(this.#count, rows.length ? plural(rows.length, kind) : "");
    this.#empty.hidden = !this.#app.store.loaded || rows.length > 0;
    this.#table.element.classList.toggle("none", this.#app.store.loaded && !rows.length);
  }

  #sortBy(key) {
    const descending = this.#sort.key === key ? !this.#sort.descending : true;
    this.#sort = { key, descending };
    this.#refresh();
  }

  #paint(cell, { row }, column) {
    if (column.key === "status")
      showStatus(cell.firstElementChild ?? cell.appendChild(statusBadge("")), sweepState(row));
    else if (column.key === "name") {
      const anchor = cell.firstElementChild ?? cell.appendChild(el("a", { tabindex: "-1" }));
      anchor.href = link(this.#options.kind, { id: row.id });
      anchor.title = row.id;
      setText(anchor, row.name);
    } else return false;
    return true;
  }
}
