/** How long designs train until they reach an accuracy: a strip of points and a table of trials. */

import { plainTable } from "./dom.js";
import { number, tera, trainingTime } from "./format.js";
import { axis, namedRows, plain } from "./plot.js";
import { seriesColour } from "./selection.js";

/** The strip: a row a design, a point a trial, hollow where the target was missed. */
export function buildTimes({ designs, attempts }) {
  const layout = {
    uirevision: "same",
    ...namedRows(designs.map(labelOf)),
    xaxis: axis({ title: "prepare and train (s)", rangemode: "tozero" }),
  };
  const texts = designs.map((one) => `${one.name} ${trainingTime(one.seconds_mean)}, mean of ${one.seconds.length}`);
  return {
    traces: designs.flatMap((design, at) => strip(design, at, of(design, attempts))),
    layout,
    label: `Time to the target, means: ${texts.join("; ")}`,
  };
}

/** Every trial. */
export function attemptTable({ designs, attempts }) {
  const heads = ["design", "seed", "target", "time", "epochs", "accuracy", "TFLOP"];
  const names = new Map(designs.map((design) => [design.letter, design.name]));
  const rows = attempts.map((one) => [
    `${one.letter} ${names.get(one.letter) ?? ""}`,
    String(one.seed),
    one.reached ? "reached" : "missed",
    trainingTime(one.seconds),
    number(one.epochs),
    `${one.accuracy.toFixed(2)}%`,
    tera(one.flops),
  ]);
  return plainTable(
    "Trials",
    heads.map((label, at) => ({ label, class: at === 1 || at > 2 ? "number" : null })),
    rows,
  );
}

/** What each design took, of its trials that reached the target. */
export function timeTable({ designs, attempts }) {
  const heads = ["design", "reached", "time, mean", "95% interval", "TFLOP, mean"];
  const rows = designs.map((design) => [
    `${design.letter} ${design.name}`,
    `${design.seconds.length} of ${of(design, attempts).length}`,
    trainingTime(design.seconds_mean),
    design.seconds_interval ? design.seconds_interval.map(trainingTime).join(" to ") : "–",
    tera(design.flops),
  ]);
  return plainTable(
    "Designs",
    heads.map((label, at) => ({ label, class: at ? "number" : null })),
    rows,
  );
}

function strip(design, at, mine) {
  const colour = seriesColour(at);
  const point = {
    type: "scatter",
    mode: "markers",
    x: mine.map((one) => one.seconds),
    y: mine.map(() => labelOf(design)),
    text: mine.map((one) => `seed ${one.seed}, ${one.reached ? "reached" : "missed"} at ${one.accuracy.toFixed(2)}%`),
    marker: { color: colour, size: 11, opacity: 0.7, symbol: mine.map(symbolOf) },
    hovertemplate: "%{y}, %{text}<br>%{x:.2f} s<extra></extra>",
  };
  if (typeof design.seconds_mean !== "number") return [point];
  const mean = {
    type: "scatter",
    mode: "markers",
    x: [design.seconds_mean],
    y: [labelOf(design)],
    marker: { color: colour, size: 30, symbol: "line-ns-open", line: { width: 3, color: colour } },
    hovertemplate: `mean of ${design.seconds.length}<br>%{x:.2f} s<extra></extra>`,
  };
  return [point, mean];
}

function symbolOf(attempt) {
  return attempt.reached ? "circle" : "circle-open";
}

function of(design, attempts) {
  return attempts.filter((one) => one.letter === design.letter);
}

function labelOf(design) {
  return plain(`${design.letter} ${design.name}`);
}
