/** The curves of some runs, one chart a quantity, with a legend and what can be set about them. */

import { el, emptyState, fill } from "./dom.js";
import { metric, plural } from "./format.js";
import { buildChart, CHARTS, hasValues } from "./curve_traces.js";
import { Chart } from "./plot.js";
import { link } from "./router.js";
import { lastPart } from "./run_cells.js";

const HEIGHT = 232;
let panels = 0;

/** Draws what `show` is given, and again whenever something is set. */
export class CurvePanel {
  #options = { x: "epoch", smoothing: 0, log: false };
  #runs = [];
  #charts = new Map();
  #legend = el("div", { class: "legend card" });
  #grid = el("div", { class: "charts" });
  #empty;

  /**
   * @param {object} options
   * @param {function(string)|null} options.onRemove - (run id): take it out; null where the runs are fixed
   * @param {Node[]} options.empty - what stands here while no run is chosen
   */
  constructor({ onRemove = null, empty = [] } = {}) {
    this.onRemove = onRemove;
    this.#empty = emptyState("No curves yet", ...empty);
    this.#grid.append(this.#legend);
    for (const chart of CHARTS) {
      const drawn = new Chart({ title: chart.title, height: HEIGHT });
      drawn.element.classList.add("card");
      this.#charts.set(chart.key, drawn);
      this.#grid.append(drawn.element);
    }
    this.element = el("section", { class: "curves", "aria-label": "Curves" }, this.#bar(), this.#grid, this.#empty);
    // charts stand in their places from the start; what is to be drawn in them is not known yet
    this.#empty.hidden = true;
  }

  /** Draw these runs: {id, name, colour, dash, curves, row}. */
  show(runs) {
    this.#runs = runs;
    this.#grid.hidden = runs.length === 0;
    this.#empty.hidden = runs.length > 0;
    this.#drawLegend();
    for (const chart of CHARTS) {
      const drawn = this.#charts.get(chart.key);
      drawn.element.classList.toggle("without", runs.length > 0 && !hasValues(chart, runs));
      if (runs.length) drawn.draw(() => buildChart(chart, this.#runs, this.#options));
    }
  }

  destroy() {
    for (const chart of this.#charts.values()) chart.destroy();
  }

  #set(change) {
    Object.assign(this.#options, change);
    this.show(this.#runs);
  }

  #bar() {
    const group = `x-${++panels}`;
    const choices = [
      ["epoch", "epochs"],
      ["step", "steps"],
      ["seconds", "seconds"],
    ].map(([x, label]) => {
      const on = { change: () => this.#set({ x }) };
      const box = el("input", { type: "radio", name: group, value: x, checked: x === "epoch", on });
      return el("label", {}, box, el("span", {}, label));
    });
    const shown = el("output", {}, "0");
    const slide = (event) => {
      shown.textContent = event.target.value;
      this.#set({ smoothing: Number(event.target.value) });
    };
    const slider = el("input", {
      type: "range",
      min: "0",
      max: "0.95",
      step: "0.05",
      value: "0",
      on: { input: slide },
    });
    const log = el("input", { type: "checkbox", on: { change: (event) => this.#set({ log: event.target.checked }) } });
    return el(
      "div",
      { class: "bar" },
      el("h2", {}, "Curves"),
      el("fieldset", { class: "segments" }, el("legend", { class: "hidden" }, "Horizontal axis"), ...choices),
      el("label", { class: "slider" }, "smoothing", slider, shown),
      el("label", { class: "tick" }, log, "log scale (loss, rate)"),
    );
  }

  #drawLegend() {
    const lines = this.#runs.map((run) => this.#legendLine(run));
    const averaged = this.#runs.some((run) => run.curves?.val_accuracy_ema?.some((value) => value !== null));
    const texts = ["solid: validation", "dotted: training", ...(averaged ? ["dash-dotted: averaged weights"] : [])];
    const key = el("p", { class: "legend-key" }, texts.join(" · "));
    fill(this.#legend, el("h3", {}, plural(this.#runs.length, "run")), el("ul", {}, ...lines), key);
  }

  #legendLine(run) {
    const swatch = el("i", { class: "swatch", "aria-hidden": "true", "data-dash": run.dash });
    swatch.style.setProperty("--colour", run.colour);
    const part = run.row?.parent ? el("small", {}, ` in ${lastPart(run.row.parent)}`) : null;
    const best = el("span", { class: "figure" }, metric("accuracy", run.row?.best_val_accuracy));
    const name = el("a", { href: link("run", { id: run.id }), title: run.id }, run.name, part);
    const line = el("li", {}, swatch, name, best);
    if (this.onRemove) {
      const on = { click: () => this.onRemove(run.id) };
      line.append(el("button", { type: "button", class: "icon small", "aria-label": `take ${run.name} out`, on }, "×"));
    }
    return line;
  }
}
