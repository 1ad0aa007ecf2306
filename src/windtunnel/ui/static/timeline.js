/** Which runs were on which device when, with memory predicted against measured, the queue, and the bound below. */

import { bytes, duration, plural } from "./format.js";
import { axis, Chart, plain, themeColour } from "./plot.js";

const LANE = 18;
const MEMORY = 120;
const QUEUE = 96;
const GAP = 34;
const MARGINS = 70;
const LOOKS = {
  running: { colour: "#0072B2", pattern: "" },
  finished: { colour: "#009E73", pattern: "" },
  diverged: { colour: "#D55E00", pattern: "x" },
  failed: { colour: "#D55E00", pattern: "/" },
  crash: { colour: "#D55E00", pattern: "/" },
  memory: { colour: "#D55E00", pattern: "/" },
  pruned: { colour: "#999999", pattern: "." },
};
const OTHER = { colour: "#E69F00", pattern: "\\" };

/** Draws a timeline and keeps its height to what is in it. */
export class Timeline {
  constructor() {
    this.chart = new Chart({
      title: "Device timeline: runs, memory and queue",
      height: LANE * 4 + MEMORY + QUEUE + 2 * GAP + MARGINS,
    });
    this.element = this.chart.element;
  }

  /** Show an answer of /api/timeline. */
  show(answer) {
    const rows = answer.devices.map((device) => ({ device, ...placeInLanes(device.spans, answer.now) }));
    const heights = [...rows.map((row) => Math.max(2, row.lanes) * LANE), ...rows.map(() => MEMORY), QUEUE];
    this.chart.height = heights.reduce((sum, height) => sum + height + GAP, 0) + MARGINS;
    this.chart.draw(() => build(answer, rows, heights));
  }

  destroy() {
    this.chart.destroy();
  }
}

/**
 * Put spans that overlap into lanes of their own, each into the first that is free.
 * @returns {{spans: object[], lanes: number}} the spans with their `lane`
 */
function placeInLanes(spans, now) {
  const ends = [];
  const placed = [...spans]
    .sort((a, b) => a.start - b.start)
    .map((span) => {
      let lane = ends.findIndex((end) => end <= span.start + 0.05);
      if (lane < 0) lane = ends.length;
      ends[lane] = span.end ?? now;
      return { ...span, lane };
    });
  return { spans: placed, lanes: ends.length };
}

function build(answer, rows, heights) {
  const unit = timeUnit(lastMoment(answer) - answer.opened);
  const at = (moment) => (moment - answer.opened) / unit.seconds;
  const domains = stack(heights);
  const layout = {
    uirevision: "same",
    barmode: "overlay",
    bargap: 0.12,
    margin: { l: 74, r: 16, t: 24, b: 44 },
    xaxis: axis({
      title: `time since the sweep began (${unit.name})`,
      anchor: axisName("y", domains.length),
      rangemode: "tozero",
    }),
    ...marks(answer, at, unit),
  };
  const traces = [];
  rows.forEach((row, index) => {
    traces.push(...spanTraces(row, at, unit, answer.now, index + 1));
    layout[layoutName(index + 1)] = axis({
      domain: domains[index],
      title: plain(row.device.name),
      showticklabels: false,
      autorange: false,
      range: [Math.max(2, row.lanes) - 0.5, -0.5],
      showgrid: false,
    });
    const memory = rows.length + index + 1;
    traces.push(...memoryTraces(row.device, at, memory));
    layout[layoutName(memory)] = axis({
      domain: domains[memory - 1],
      title: `GiB of ${(row.device.total_bytes / 2 ** 30).toFixed(1)}`,
      rangemode: "tozero",
      nticks: 4,
    });
  });
  const last = domains.length;
  traces.push(...queueTraces(untilNow(answer), at, last));
  layout[layoutName(last)] = axis({ domain: domains[last - 1], title: "runs", rangemode: "tozero", nticks: 4 });
  return { traces, layout, label: describe(answer) };
}

function spanTraces({ spans }, at, unit, now, number) {
  const look = (span) => LOOKS[span.status] ?? OTHER;
  const lengths = spans.map((span) => ((span.end ?? now) - span.start) / unit.seconds);
  return [
    {
      type: "bar",
      orientation: "h",
      base: spans.map((span) => at(span.start)),
      x: lengths,
      y: spans.map((span) => span.lane),
      yaxis: axisName("y", number),
      marker: {
        color: spans.map((span) => look(span).colour),
        pattern: { shape: spans.map((span) => look(span).pattern), size: 5, solidity: 0.25 },
        line: { width: 1, color: themeColour("surface") },
      },
      text: spans.map((span) => `${span.status === "running" ? "● " : ""}${plain(span.job)}`),
      textposition: "inside",
      insidetextanchor: "start",
      textangle: 0,
      constraintext: "none",
      cliponaxis: true,
      textfont: { size: 10, color: "#ffffff" },
      customdata: spans.map((span) => span.run),
      hovertext: spans.map((span) => hover(span, now)),
      hovertemplate: "%{hovertext}<extra></extra>",
    },
  ];
}

function hover(span, now) {
  const measured = span.measured_bytes ? `, measured ${bytes(span.measured_bytes)}` : "";
  const attempt = span.attempt > 1 ? `, attempt ${span.attempt}` : "";
  const lines = [
    `${plain(span.job)}: ${span.status}${attempt}`,
    duration((span.end ?? now) - span.start),
    `reserved ${bytes(span.reserved_bytes)}${measured}`,
  ];
  return lines.join("<br>");
}

function memoryTraces(device, at, number) {
  const gibibytes = (values) => values.map((value) => (value === null ? null : value / 2 ** 30));
  const base = { type: "scatter", mode: "lines", yaxis: axisName("y", number), x: device.memory.time.map(at) };
  return [
    {
      ...base,
      y: gibibytes(device.memory.predicted),
      name: "predicted",
      line: { shape: "hv", color: "#E69F00", width: 2, dash: "dash" },
      hovertemplate: "predicted %{y:.2f} GiB<extra></extra>",
    },
    {
      ...base,
      y: gibibytes(device.memory.measured),
      name: "measured",
      connectgaps: false,
      line: { shape: "hv", color: "#0072B2", width: 2 },
      fill: "tozeroy",
      fillcolor: "rgba(0,114,178,0.15)",
      hovertemplate: "measured %{y:.2f} GiB<extra></extra>",
    },
  ];
}

function queueTraces(queue, at, number) {
  const base = { type: "scatter", mode: "lines", yaxis: axisName("y", number), x: queue.time.map(at) };
  return [
    {
      ...base,
      y: queue.waiting,
      line: { shape: "hv", color: "#CC79A7", width: 2, dash: "dash" },
      hovertemplate: "%{y} waiting<extra></extra>",
    },
    {
      ...base,
      y: queue.running,
      line: { shape: "hv", color: "#0072B2", width: 2 },
      hovertemplate: "%{y} running<extra></extra>",
    },
  ];
}

/** The queue with its last state drawn out to the present while runs are at work. */
function untilNow({ queue, now }) {
  const going = queue.running.at(-1) > 0;
  const longer = (values, last) => (going ? [...values, last] : values);
  return {
    time: longer(queue.time, now),
    waiting: longer(queue.waiting, queue.waiting.at(-1)),
    running: longer(queue.running, queue.running.at(-1)),
  };
}

function marks(answer, at, unit) {
  const shapes = [];
  const annotations = [];
  const upright = (x, text, dash, side) => {
    shapes.push({
      type: "line",
      xref: "x",
      yref: "paper",
      x0: x,
      x1: x,
      y0: 0,
      y1: 1,
      line: { color: themeColour("muted"), width: 1.4, dash },
    });
    annotations.push({
      x,
      y: 1,
      yref: "paper",
      yanchor: "bottom",
      xanchor: side,
      showarrow: false,
      text,
      font: { size: 11, color: themeColour("muted") },
    });
  };
  if (answer.lower_bound_s) upright(answer.lower_bound_s / unit.seconds, "lower bound", "dot", "center");
  if (answer.remaining) {
    const [low, high] = answer.remaining.map((seconds) => at(answer.now + seconds));
    shapes.push({
      type: "rect",
      xref: "x",
      yref: "paper",
      x0: low,
      x1: high,
      y0: 0,
      y1: 1,
      fillcolor: themeColour("accent"),
      opacity: 0.1,
      line: { width: 0 },
    });
    upright(at(answer.now), "now", "solid", "right");
    annotations.push({
      x: high,
      y: 1,
      yref: "paper",
      yanchor: "bottom",
      xanchor: "right",
      showarrow: false,
      text: "likely end",
      font: { size: 11, color: themeColour("muted") },
    });
  }
  return { shapes, annotations };
}

function stack(heights) {
  const all = heights.reduce((sum, height) => sum + height + GAP, -GAP);
  let top = 1;
  return heights.map((height) => {
    const domain = [Math.max(0, top - height / all), top];
    top -= (height + GAP) / all;
    return domain;
  });
}

function lastMoment(answer) {
  const ends = answer.devices.flatMap((device) => device.spans.map((span) => span.end ?? answer.now));
  return Math.max(answer.opened + 1, answer.opened + (answer.lower_bound_s ?? 0), ...ends);
}

function timeUnit(seconds) {
  if (seconds < 600) return { name: "s", seconds: 1 };
  return seconds < 4 * 3600 ? { name: "min", seconds: 60 } : { name: "h", seconds: 3600 };
}

function describe(answer) {
  const devices = answer.devices.map((device) => `${device.name}: ${plural(device.spans.length, "run")}`);
  const left = answer.remaining ? `, ${duration(answer.remaining[0])} to ${duration(answer.remaining[1])} left` : "";
  return `Device timeline. ${devices.join("; ")}. ${duration(answer.elapsed_s)} so far${left}.`;
}

function axisName(letter, number) {
  return number === 1 ? letter : `${letter}${number}`;
}

function layoutName(number) {
  return number === 1 ? "yaxis" : `yaxis${number}`;
}
