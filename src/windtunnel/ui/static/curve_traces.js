/** Curves of runs as Plotly's traces. */

import { smooth } from "./curves.js";
import { bytes, metric, number } from "./format.js";
import { axis, plain } from "./plot.js";

const SECOND_DASHES = [null, "dot", "longdashdot"];

/** What is drawn. The first series of a chart is its main one; beside it goes training's, and the averaged weights'. */
export const CHARTS = [
  {
    key: "accuracy",
    title: "Accuracy (%)",
    series: ["val_accuracy", "train_accuracy", "val_accuracy_ema"],
    scale: 100,
  },
  { key: "loss", title: "Loss (nats)", series: ["val_loss", "train_loss"], log: true },
  { key: "lr", title: "Learning rate", series: ["lr"], log: true },
  { key: "throughput", title: "Throughput (images/s)", series: ["images_per_second"] },
  { key: "memory", title: "Memory (MiB)", series: ["memory_bytes"], scale: 2 ** -20 },
];

const X_TITLES = { epoch: "epoch", step: "step", seconds: "training time (s)" };

/**
 * @param {object} chart - one of CHARTS
 * @param {object[]} runs - {id, name, colour, dash, curves}
 * @param {object} options - {x: "epoch"|"step"|"seconds", smoothing: 0..0.99, log: boolean}
 */
export function buildChart(chart, runs, options) {
  const smoothing = chart.key === "lr" ? 0 : options.smoothing;
  const traces = runs.flatMap((run) =>
    chart.series.flatMap((name, at) => runTraces(chart, run, name, at, { ...options, smoothing })),
  );
  const layout = {
    uirevision: `${options.x}-${options.log}`,
    hovermode: "closest",
    xaxis: axis({ title: X_TITLES[options.x], rangemode: "tozero" }),
    yaxis: axis({
      type: chart.log && options.log ? "log" : "linear",
      tickformat: chart.key === "accuracy" ? ".4~g" : "~g",
    }),
  };
  if (chart.key === "throughput" || chart.key === "memory")
    Object.assign(layout.yaxis, { tickformat: "~s", rangemode: "tozero" });
  return { traces, layout, label: describe(chart, runs) };
}

/** Whether any run has values for a chart. */
export function hasValues(chart, runs) {
  return runs.some((run) => chart.series.some((name) => run.curves?.[name]?.some((value) => value !== null)));
}

function runTraces(chart, run, name, at, { x, smoothing }) {
  const values = run.curves?.[name];
  if (!values?.some((value) => value !== null)) return [];
  const scaled = values.map((value) => (value === null ? null : value * (chart.scale ?? 1)));
  const base = {
    type: "scatter",
    x: run.curves[x],
    connectgaps: true,
    mode: values.length < 2 ? "markers" : "lines",
    marker: { color: run.colour, size: 6 },
    name: plain(run.name),
    line: { color: run.colour, width: at ? 1.3 : 2, dash: at ? SECOND_DASHES[at] : run.dash },
    opacity: at ? 0.9 : 1,
    hovertemplate: `${plain(run.name)}<br>${name.replaceAll("_", " ")} %{y:.5~g}, ${x} %{x}<extra></extra>`,
  };
  if (!smoothing) return [{ ...base, y: scaled }];
  const raw = {
    ...base,
    y: scaled,
    opacity: 0.22,
    hoverinfo: "skip",
    hovertemplate: null,
    line: { ...base.line, width: 1 },
  };
  return [raw, { ...base, y: smooth(scaled, smoothing) }];
}

function describe(chart, runs) {
  const last = (run) => run.curves?.[chart.series[0]]?.findLast((value) => value !== null);
  const show = { memory: bytes }[chart.key] ?? ((value) => metric(chart.series[0], value ?? NaN));
  const texts = runs
    .slice(0, 8)
    .map((run) => `${run.name} ${last(run) === undefined ? number(null) : show(last(run))}`);
  return `${chart.title} of ${runs.length} runs. Last values: ${texts.join("; ")}`;
}
