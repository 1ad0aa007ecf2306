/** What can be set about the run table: filter, states, groups, columns. */

import { el, fill } from "./dom.js";
import { STATES, statusBadge } from "./status.js";

/** Builds the bar once; `update` brings counts and choices up to date. */
export class RunBar {
  #states = el("div", { class: "states", role: "group", "aria-label": "States" });
  #group = el("select", { "aria-label": "Group by" });

  /**
   * @param {object} state - what is set, see run_items.js
   * @param {function(object)} onChange - takes {text}, {status} or {group}
   * @param {function()} onColumns - the button for columns was pressed
   */
  constructor(state, onChange, onColumns) {
    this.onChange = onChange;
    const typed = { input: (event) => onChange({ text: event.target.value }) };
    const hint = "Filter: words, lr>=0.1, seed=0";
    this.search = el("input", {
      type: "search",
      class: "search",
      "aria-label": "Filter runs",
      placeholder: hint,
      value: state.text,
      on: typed,
    });
    this.#group.addEventListener("change", () => onChange({ group: this.#group.value }));
    const columns = el("button", { type: "button", on: { click: onColumns } }, "Columns");
    const grouping = el("label", { class: "grouping" }, "group by", this.#group);
    this.element = el("div", { class: "bar" }, this.search, this.#states, grouping, columns);
  }

  /** Show how many runs are in each state, and what one can group by. */
  update(rows, state, fields) {
    const counts = new Map();
    for (const row of rows) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
    const known = STATES.filter((status) => counts.has(status) || status === state.status);
    const wanted = JSON.stringify([rows.length, [...counts], state.status]);
    if (this.#states.dataset.shown !== wanted) {
      this.#states.dataset.shown = wanted;
      const focused = document.activeElement?.dataset?.state;
      const chips = known.map((status) => this.#chip(status, statusBadge(status), counts.get(status) ?? 0, state));
      fill(this.#states, this.#chip("", "all", rows.length, state), ...chips);
      if (focused !== undefined) this.#states.querySelector(`[data-state="${focused}"]`)?.focus();
    }
    this.#offerGroups(state, fields);
  }

  #chip(status, label, count, state) {
    const on = { click: () => this.onChange({ status }) };
    const pressed = String((state.status ?? "") === status);
    return el(
      "button",
      { type: "button", class: "chip", "aria-pressed": pressed, "data-state": status, on },
      label,
      el("b", {}, count),
    );
  }

  #offerGroups(state, fields) {
    const usual = ["", "status", "project", "parent", "seed", "device"];
    const names = [...new Set([...usual, ...fields.map((field) => field.name), state.group])];
    if (this.#group.dataset.shown !== names.join()) {
      this.#group.dataset.shown = names.join();
      const titles = { "": "nothing", parent: "sweep or comparison" };
      fill(this.#group, ...names.map((name) => el("option", { value: name }, titles[name] ?? name)));
    }
    this.#group.value = state.group;
  }
}
