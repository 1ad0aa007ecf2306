/** A confusion matrix as a heat map. */

import { el } from "./dom.js";
import { percent } from "./format.js";
import { axis, Chart, plain, themeColour } from "./plot.js";

const MOST_NUMBERS = 20;

/** Heat map with what can be set about it. */
export class Confusion {
  #evaluation;
  #chart;
  #options = { share: true, errorsOnly: false };

  /** @param {object} evaluation - {name, classes, confusion}: rows are true classes, columns predicted ones */
  constructor(evaluation) {
    this.#evaluation = evaluation;
    const size = evaluation.classes.length;
    this.#chart = new Chart({ title: "Confusion matrix", height: Math.min(640, Math.max(360, 90 + 30 * size)) });
    this.element = el("section", { class: "card" }, this.#bar(), this.#chart.element);
    this.#draw();
  }

  destroy() {
    this.#chart.destroy();
  }

  #bar() {
    const tick = (label, checked, change) => {
      const set = (event) => {
        Object.assign(this.#options, change(event.target.checked));
        this.#draw();
      };
      return el("label", { class: "tick" }, el("input", { type: "checkbox", checked, on: { change: set } }), label);
    };
    const share = tick("as share of the true class", true, (share) => ({ share }));
    return el(
      "div",
      { class: "bar" },
      share,
      tick("errors only", false, (errorsOnly) => ({ errorsOnly })),
    );
  }

  #draw() {
    this.#chart.draw(() => build(this.#evaluation, this.#options));
  }
}

function build({ classes, confusion }, { share, errorsOnly }) {
  const names = classes.map((name, at) => plain(name ?? at));
  const places = classes.map((_, at) => at);
  const sums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const shown = (row, count, at, from) =>
    errorsOnly && at === from ? null : share ? (100 * count) / Math.max(1, sums[from]) : count;
  const z = confusion.map((row, from) => row.map((count, at) => shown(row, count, at, from)));
  const hover = confusion.map((row, from) =>
    row.map(
      (count, at) =>
        `true ${names[from]}, predicted ${names[at]}<br>` +
        `${count} of ${sums[from]} (${percent(count / Math.max(1, sums[from]), 1)})`,
    ),
  );
  const few = classes.length <= MOST_NUMBERS;
  const trace = {
    type: "heatmap",
    x: places,
    y: places,
    z,
    text: confusion.map((row, from) => row.map((count, at) => (count && z[from][at] !== null ? String(count) : ""))),
    texttemplate: few ? "%{text}" : "",
    hovertext: hover,
    hovertemplate: "%{hovertext}<extra></extra>",
    hoverongaps: false,
    colorscale: [
      [0, themeColour("heat-low")],
      [0.02, themeColour("heat-first")],
      [1, themeColour("heat-high")],
    ],
    xgap: few ? 2 : 0,
    ygap: few ? 2 : 0,
    colorbar: { title: { text: share ? "%" : "images" }, thickness: 12, outlinewidth: 0 },
  };
  const ticks = { tickvals: places, ticktext: names, showgrid: false, nticks: 40 };
  const layout = {
    uirevision: "same",
    margin: { l: 60, r: 10, t: 10, b: 56 },
    xaxis: axis({ ...ticks, title: "predicted class" }),
    yaxis: axis({ ...ticks, title: "true class", autorange: "reversed" }),
  };
  return { traces: [trace], layout, label: describe(classes, confusion) };
}

function describe(classes, confusion) {
  const errors = confusion.flatMap((row, from) =>
    row.map((count, at) => ({ count, from, at })).filter((one) => one.from !== one.at && one.count),
  );
  const worst = errors.sort((a, b) => b.count - a.count).slice(0, 3);
  const texts = worst.map(({ count, from, at }) => `${classes[from]} taken for ${classes[at]} ${count} times`);
  return `Confusion matrix of ${classes.length} classes. Most frequent errors: ${texts.join("; ") || "none"}.`;
}
