/** The run table with the curves of the runs that are ticked. */

import { get } from "./api.js";
import { chooseColumns } from "./column_dialog.js";
import { NARROW_COLUMNS, USUAL_COLUMNS } from "./columns.js";
import { CurvePanel } from "./curve_panel.js";
import { DataTable } from "./data_table.js";
import { commandLine, el, emptyState, note, setText } from "./dom.js";
import { plural } from "./format.js";
import { namesInFilter } from "./query.js";
import { link, remember } from "./router.js";
import { RunBar } from "./run_bar.js";
import { markColumn, runPainter, shortName } from "./run_cells.js";
import { listItems } from "./run_items.js";
import { MOST_SELECTED } from "./selection.js";

const FIRST_CHOSEN = 3;
const FIELDS_AGAIN_MS = 500;

/** The view of all runs. */
export class RunsView {
  title = "Runs";
  #app;
  #state;
  #bar;
  #table;
  #panel;
  #heading;
  #nothing = el("div", { class: "no-runs", hidden: true });
  #kept = [];
  #asked = "";
  #timer = 0;
  #ended = new AbortController();

  constructor(app, parameters) {
    this.#app = app;
    this.#state = readState(parameters);
    const chosen = parameters.getAll("select");
    if (chosen.length) app.selection.change({ add: chosen, remove: app.selection.ids });
    this.#bar = new RunBar(
      this.#state,
      (change) => this.#set(change),
      () => this.#openColumns(),
    );
    this.#table = new DataTable({
      label: "Runs",
      paint: runPainter(
        app.selection,
        (item) => this.#mark(item),
        (id) => app.store.comparisons.has(id),
      ),
      onOpen: (item) => this.#open(item),
      onMark: (item) => (item.group ? this.#open(item) : this.#mark(item)),
      onSort: (key) => this.#sort(key),
    });
    const onRemove = (id) => app.selection.change({ remove: [id] });
    this.#panel = new CurvePanel({
      onRemove,
      empty: [el("p", {}, "Tick runs in the table to lay their curves over one another.")],
    });
    this.#heading = el("span", { class: "count" });
    const head = el("div", { class: "heading" }, el("h1", { tabindex: "-1" }, "Runs"), this.#heading);
    this.element = el(
      "div",
      { class: "view" },
      head,
      this.#bar.element,
      this.#table.element,
      this.#nothing,
      this.#panel.element,
    );
    const listen = { signal: this.#ended.signal };
    app.store.addEventListener("change", (event) => this.#follow(event.detail), listen);
    app.selection.addEventListener("change", () => this.#selectionChanged(), listen);
    this.#refresh();
    if (app.store.loaded) this.#loadLater();
  }

  destroy() {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#table.destroy();
    this.#panel.destroy();
  }

  #follow(change) {
    if (change.added.length) this.#learnLater();
    this.#refresh();
    if (change.all || (change.added.length && !this.#app.chosenOnce)) this.#loadLater();
    else if (change.runs.some((id) => this.#app.selection.has(id)) || change.removed.length) this.#drawCurves();
  }

  /** Everything that can wait until the table is on the page. */
  #loadLater() {
    requestAnimationFrame(() => setTimeout(() => this.#loadFields(), 0));
    const first = !this.#app.chosenOnce && !this.#app.selection.ids.length;
    this.#app.chosenOnce ||= this.#app.store.runs.size > 0;
    if (first) this.#chooseFirst();
    else requestAnimationFrame(() => setTimeout(() => this.#drawCurves(), 0));
  }

  /** New runs may have fields that no run had before, and values that are not here yet. */
  #learnLater() {
    this.#asked = "";
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#loadFields();
    }, FIELDS_AGAIN_MS);
  }

  #chooseFirst() {
    const rank = (row) => [row.status === "running" ? 1 : 0, row.started ?? 0];
    const newest = [...this.#kept].sort((a, b) => {
      const [first, second] = [rank(b), rank(a)];
      return first[0] - second[0] || first[1] - second[1];
    });
    this.#app.selection.change({ add: newest.slice(0, FIRST_CHOSEN).map((row) => row.id) });
  }

  async #loadFields() {
    const { fields } = await get("fields").catch(() => ({ fields: [] }));
    this.#app.columns.learnFields(fields);
    this.#refresh();
  }

  async #loadValues() {
    const { columns, store } = this.#app;
    const named = [...namesInFilter(this.#state.text), this.#state.group, this.#state.sort];
    const keys = [...new Set([...named.map((name) => columns.find(name)?.key), ...this.#state.columns])];
    const field = columns.missing(keys.filter(Boolean), [...store.runs.keys()]);
    const wanted = `${field} ${store.runs.size}`;
    if (!field.length || this.#asked === wanted) return;
    this.#asked = wanted;
    const { values } = await get("values", { field }).catch(() => ({ values: {} }));
    columns.learnValues(values);
    this.#refresh();
  }

  #refresh() {
    const { columns, selection, store } = this.#app;
    const rows = [...store.runs.values()];
    columns.learn(rows);
    const shown = this.#state.columns.map((key) => columns.find(key)).filter(Boolean);
    const sort = { key: columns.find(this.#state.sort)?.key, descending: this.#state.descending };
    this.#table.setColumns([this.#markColumn, ...shown], sort);
    const { items, kept } = listItems(rows, this.#state, columns, (id) => selection.has(id));
    this.#kept = kept;
    this.#table.setItems(items);
    this.#bar.update(rows, this.#state, columns.fields);
    setText(
      this.#heading,
      kept.length === rows.length ? plural(rows.length, "run") : `${kept.length} of ${plural(rows.length, "run")}`,
    );
    this.#sayNothing(rows.length, kept.length);
    this.#rememberState();
    this.#loadValues();
  }

  #markColumn = markColumn(() => {
    const label = "draw the curves of the runs listed first, or of none";
    const box = el("input", { type: "checkbox", "aria-label": label, title: label });
    box.checked =
      this.#kept.length > 0 && this.#kept.slice(0, MOST_SELECTED).every((row) => this.#app.selection.has(row.id));
    box.addEventListener("change", () => this.#markAll(box.checked));
    return box;
  });

  #markAll(marked) {
    const { selection } = this.#app;
    const ids = this.#kept.map((row) => row.id);
    const first = ids.slice(0, MOST_SELECTED);
    const others = selection.ids.filter((id) => !first.includes(id));
    // those ticked before stay as far as there is room, so that the first listed get in and can be let go again
    selection.change(marked ? { add: first, remove: others.slice(MOST_SELECTED - first.length) } : { remove: ids });
    const left = marked ? ids.length - first.length : 0;
    if (left) note(`${MOST_SELECTED} runs are drawn at most, so that they can be told apart; ${left} were left out.`);
  }

  #sayNothing(all, kept) {
    const loaded = this.#app.store.loaded;
    this.#nothing.hidden = !loaded || kept > 0;
    this.#table.element.classList.toggle("none", loaded && all === 0);
    this.#panel.element.hidden = loaded && all === 0;
    if (!loaded || kept) return;
    if (!all) {
      const folder = this.#app.about.root ?? "the runs folder";
      const where = `There are none in ${folder}. Start one; it shows up here while it trains.`;
      this.#nothing.replaceChildren(
        emptyState("No runs yet", el("p", {}, where), commandLine("windtunnel train quickstart")),
      );
    } else {
      const clear = el("button", { type: "button", on: { click: () => this.#clearFilter() } }, "Show all runs");
      this.#nothing.replaceChildren(emptyState("No run passes the filter", clear));
    }
  }

  #clearFilter() {
    this.#bar.search.value = "";
    this.#set({ text: "", status: "" });
  }

  #set(change) {
    Object.assign(this.#state, change);
    if (!change.columns) this.#table.element.scrollTop = 0;
    this.#refresh();
  }

  #sort(key) {
    const descending = this.#state.sort === key ? !this.#state.descending : this.#app.columns.find(key).number === true;
    this.#set({ sort: key, descending });
  }

  #open(item) {
    if (!item.group) location.hash = link("run", { id: item.row.id });
    else {
      if (!this.#state.closed.delete(item.key)) this.#state.closed.add(item.key);
      this.#refresh();
    }
  }

  #mark(item) {
    const { selection } = this.#app;
    const id = item.row.id;
    const left = selection.change(selection.has(id) ? { remove: [id] } : { add: [id] });
    if (left) note(`${MOST_SELECTED} runs are drawn at most; untick one first.`);
  }

  #openColumns() {
    chooseColumns(this.#app.columns.list(), this.#state.columns, (columns) => this.#set({ columns }));
  }

  #selectionChanged() {
    this.#refresh();
    this.#drawCurves();
  }

  async #drawCurves() {
    const { curves, selection, store } = this.#app;
    const rows = () => selection.ids.map((id) => store.runs.get(id)).filter(Boolean);
    const stale = curves.stale(rows());
    if (stale.length) await curves.fetch(stale.map((row) => row.id));
    if (this.#ended.signal.aborted) return;
    this.#panel.show(rows().map((row) => this.#series(row)));
  }

  #series(row) {
    const { curves, selection } = this.#app;
    const { id } = row;
    return {
      id,
      row,
      name: shortName(row),
      dash: selection.dash(id),
      get colour() {
        return selection.colour(id);
      },
      get curves() {
        return curves.of(id);
      },
    };
  }

  #rememberState() {
    if (this.#ended.signal.aborted) return;
    const { text, status, sort, descending, group, columns } = this.#state;
    const own = JSON.stringify(columns) === JSON.stringify(usualColumns()) ? [] : columns;
    const order = sort === "started" && descending ? "" : `${descending ? "-" : ""}${sort}`;
    remember("runs", { text, status, sort: order, group, column: own, select: this.#app.selection.ids });
  }
}

function readState(parameters) {
  const sort = parameters.get("sort") ?? "-started";
  const columns = parameters.getAll("column");
  return {
    text: parameters.get("text") ?? "",
    status: parameters.get("status") ?? "",
    sort: sort.replace(/^-/, ""),
    descending: sort.startsWith("-"),
    group: parameters.get("group") ?? "",
    columns: columns.length ? columns : usualColumns(),
    closed: new Set(),
  };
}

function usualColumns() {
  return matchMedia("(max-width: 600px)").matches ? NARROW_COLUMNS : USUAL_COLUMNS;
}
