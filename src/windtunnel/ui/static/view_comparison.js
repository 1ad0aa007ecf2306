/** One comparison, ablation or time to an accuracy: its chart, what was decided, its tables. */

import { get } from "./api.js";
import { el, emptyState, fill, plainTable } from "./dom.js";
import { buildEffects, effectTable } from "./effects.js";
import { plural, tera, trainingTime } from "./format.js";
import { axis, Chart, plain } from "./plot.js";
import { link } from "./router.js";
import { seriesColour } from "./selection.js";
import { attemptTable, buildTimes, timeTable } from "./times.js";

const PLANE = "Accuracy against time";
const SYMBOLS = ["circle", "square", "triangle-up", "cross", "star", "hexagon"];

/** The view of one comparison. */
export class ComparisonView {
  #ended = new AbortController();
  #app;
  #id;
  #row = "";
  #kind = "comparison";
  #chart = new Chart({ title: PLANE, height: 400 });
  #verdict = el("section", { class: "card verdict", "aria-label": "Verdict" });
  #tables = el("div", { class: "stack" });
  #charted = el("div", { class: "card filled" }, this.#chart.element);
  #parts = el("div", { class: "split" }, this.#charted, this.#verdict);
  #missing = el("div", { hidden: true });

  constructor(app, parameters) {
    this.#app = app;
    this.#id = parameters.get("id");
    this.title = app.store.comparisons.get(this.#id)?.name ?? this.#id.split("/").at(-1);
    const crumbs = el("p", { class: "crumbs" }, el("a", { href: "#/comparisons" }, "Comparisons"));
    const head = el("div", { class: "heading" }, el("h1", { tabindex: "-1" }, this.title));
    this.element = el("div", { class: "view" }, crumbs, head, this.#missing, this.#parts, this.#tables);
    app.store.addEventListener("change", (event) => this.#follow(event.detail), { signal: this.#ended.signal });
    this.#load();
  }

  destroy() {
    this.#ended.abort();
    this.#chart.destroy();
  }

  #follow(change) {
    const mine = (id) => this.#app.store.runs.get(id)?.parent === this.#id;
    const row = JSON.stringify(this.#app.store.comparisons.get(this.#id));
    if (change.all || change.runs.some(mine) || change.removed.includes(this.#id) || row !== this.#row) this.#load();
  }

  async #load() {
    this.#row = JSON.stringify(this.#app.store.comparisons.get(this.#id));
    try {
      this.#show(await get("comparison", { id: this.#id }));
    } catch (problem) {
      if (problem.status === undefined && this.#tables.children.length) return;
      this.#setMissing(true);
      const way = el("a", { href: "#/comparisons" }, "All comparisons");
      fill(this.#missing, emptyState("This comparison cannot be shown", el("p", {}, problem.message), way));
    }
  }

  #setMissing(missing) {
    this.#missing.hidden = !missing;
    this.#parts.hidden = missing;
    this.#tables.hidden = missing;
  }

  #show(answer) {
    this.#setMissing(false);
    const { title, build, tables } = partsOf(answer);
    if (answer.kind !== this.#kind) this.#replaceChart(title);
    this.#kind = answer.kind;
    this.#chart.draw(build);
    const lines = (answer.verdicts?.length ? answer.verdicts : ["No verdict yet: it comes with the last trial."]).map(
      (text) => el("p", {}, text),
    );
    fill(
      this.#verdict,
      el("h2", {}, "Verdict"),
      ...lines,
      answer.note ? el("p", { class: "quiet" }, answer.note) : null,
    );
    fill(this.#tables, ...tables.map(([head, table]) => el("section", { class: "card" }, el("h2", {}, head), table)));
  }

  #replaceChart(title) {
    this.#chart.destroy();
    this.#chart = new Chart({ title, height: 400 });
    fill(this.#charted, this.#chart.element);
  }
}

/** What is shown of an answer of each kind; an ablation under way has trials but no effects yet. */
function partsOf(answer) {
  if (answer.kind === "ablation" && answer.effects.length) {
    const tables = [
      ["Effects", effectTable(answer.effects)],
      ["Variants", designTable(answer.designs)],
    ];
    return { title: "Effect of each change", build: () => buildEffects(answer.effects), tables };
  }
  if (answer.kind === "time_to") {
    const tables = [
      ["Designs", timeTable(answer)],
      ["Trials", attemptTable(answer)],
    ];
    return { title: "Time to the target", build: () => buildTimes(answer), tables };
  }
  return { title: PLANE, build: () => buildPlane(answer), tables: [["Designs", designTable(answer.designs)]] };
}

function designTable(designs) {
  const heads = ["design", "trials", "accuracy, mean", "95% interval", "time, mean", "95% interval", "TFLOP", "curves"];
  const rows = designs.map((design, at) => [
    el("span", {}, swatch(at), design.name),
    String(design.n),
    points(design.accuracy_mean),
    interval(design.accuracy_interval, points),
    trainingTime(design.seconds_mean),
    interval(design.seconds_interval, trainingTime),
    tera(design.flops),
    design.runs?.length
      ? el("a", { href: link("runs", { select: design.runs }) }, plural(design.runs.length, "run"))
      : "–",
  ]);
  return plainTable(
    "Designs",
    heads.map((label, at) => ({ label, class: at && at < heads.length - 1 ? "number" : null })),
    rows,
  );
}

function swatch(at) {
  const mark = el("i", { class: "swatch block", "aria-hidden": "true" });
  mark.style.setProperty("--colour", seriesColour(at));
  return mark;
}

function points(value) {
  return typeof value === "number" ? `${value.toFixed(2)}%` : "–";
}

function interval(bounds, show) {
  return bounds ? `${show(bounds[0])} to ${show(bounds[1])}` : "–";
}

function buildPlane({ designs, metric }) {
  const traces = designs.flatMap((design, at) => [trials(design, at), ...mean(design, at)]);
  const layout = {
    uirevision: "same",
    showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    margin: { l: 56, r: 16, t: 36, b: 44 },
    xaxis: axis({ title: "time to train (s)", rangemode: "tozero" }),
    yaxis: axis({ title: `${metric.replaceAll("_", " ")} (%)` }),
  };
  const texts = designs.map((one) => `${one.name} ${points(one.accuracy_mean)} in ${trainingTime(one.seconds_mean)}`);
  return { traces, layout, label: `Accuracy against time, means: ${texts.join("; ")}` };
}

function trials(design, at) {
  return {
    type: "scatter",
    mode: "markers",
    x: design.seconds,
    y: design.accuracies,
    marker: { color: seriesColour(at), size: 9, opacity: 0.5, symbol: SYMBOLS[at % SYMBOLS.length] },
    showlegend: false,
    hovertemplate: `${plain(design.name)}, a trial<br>%{y:.2f}% in %{x:.2f} s<extra></extra>`,
  };
}

function mean(design, at) {
  if (typeof design.accuracy_mean !== "number" || typeof design.seconds_mean !== "number") return [];
  const bars = (middle, bounds) =>
    bounds && {
      type: "data",
      symmetric: false,
      array: [bounds[1] - middle],
      arrayminus: [middle - bounds[0]],
      thickness: 2,
      width: 6,
    };
  return [
    {
      type: "scatter",
      mode: "markers",
      x: [design.seconds_mean],
      y: [design.accuracy_mean],
      error_x: bars(design.seconds_mean, design.seconds_interval),
      error_y: bars(design.accuracy_mean, design.accuracy_interval),
      marker: {
        color: seriesColour(at),
        size: 14,
        symbol: SYMBOLS[at % SYMBOLS.length],
        line: { width: 1.5, color: "#ffffff" },
      },
      name: `${plain(design.name)} (n=${design.n})`,
      hovertemplate: `${plain(design.name)}, mean of ${design.n}<br>%{y:.2f}% in %{x:.2f} s<extra></extra>`,
    },
  ];
}
