/** What each change of an ablation does: a chart and a table. */

import { el, plainTable } from "./dom.js";
import { axis, namedRows, plain, themeColour } from "./plot.js";
import { seriesColour } from "./selection.js";

/** The chart: accuracy and time side by side, a row an effect, filled where the interval leaves 0 out. */
export function buildEffects(effects) {
  const labels = effects.map((effect) => plain(effect.label));
  const layout = {
    uirevision: "same",
    ...namedRows(labels),
    xaxis: axis({ title: "points of accuracy", domain: [0, 0.48] }),
    xaxis2: axis({ title: "time, percent more", domain: [0.52, 1] }),
    shapes: ["x", "x2"].map(zeroLine),
  };
  const traces = [
    trace(effects, labels, { bounds: "points", xaxis: "x", unit: " points" }),
    trace(effects, labels, { bounds: "percent", xaxis: "x2", unit: "% time" }),
  ];
  const texts = effects.map(
    (one) => `${one.label} ${signed(one.points[1], 2)} points, ${signed(one.percent[1], 1)}% time`,
  );
  return { traces, layout, label: `Effect of each change: ${texts.join("; ")}` };
}

/** The same as a table. */
export function effectTable(effects) {
  const heads = ["change", "points of accuracy", "interval", "p", "time, percent more", "interval", "p"];
  const rows = effects.map((one) => [
    el("span", {}, one.label, one.is_interaction ? el("small", { class: "quiet" }, " interaction") : null),
    signed(one.points[1], 2),
    range(one.points, 2),
    chance(one.points_p),
    signed(one.percent[1], 1),
    range(one.percent, 1),
    chance(one.percent_p),
  ]);
  return plainTable(
    "Effects",
    heads.map((label, at) => ({ label, class: at ? "number" : null })),
    rows,
  );
}

function trace(effects, labels, { bounds, xaxis, unit }) {
  const ends = effects.map((one) => one[bounds]);
  const colours = effects.map((one) => seriesColour(one.is_interaction ? 1 : 0));
  return {
    type: "scatter",
    mode: "markers",
    x: ends.map(([, mean]) => mean),
    y: labels,
    xaxis,
    error_x: {
      type: "data",
      symmetric: false,
      array: ends.map(([, mean, high]) => high - mean),
      arrayminus: ends.map(([low, mean]) => mean - low),
      thickness: 2,
      width: 6,
      color: themeColour("muted"),
    },
    marker: {
      size: 12,
      color: colours.map((colour, at) => (leavesZeroOut(ends[at]) ? colour : themeColour("surface"))),
      line: { width: 2, color: colours },
    },
    hovertemplate: `%{y}<br>%{x:+.2f}${unit}<extra></extra>`,
  };
}

function zeroLine(xref) {
  const line = { color: themeColour("muted"), width: 1, dash: "dot" };
  return { type: "line", xref, yref: "paper", x0: 0, x1: 0, y0: 0, y1: 1, line };
}

function leavesZeroOut([low, , high]) {
  return low > 0 || high < 0;
}

function signed(value, digits) {
  return typeof value === "number" ? `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}` : "–";
}

function range([low, , high], digits) {
  return `${signed(low, digits)} to ${signed(high, digits)}`;
}

function chance(p) {
  if (typeof p !== "number") return "no spread";
  return p < 1e-4 ? "<0.0001" : String(Number(p.toPrecision(2)));
}
