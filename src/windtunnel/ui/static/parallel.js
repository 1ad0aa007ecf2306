/** Parallel coordinates of a sweep: one line a run, from setting to setting to its score. */

import { value as showValue, words } from "./format.js";
import { axis, Chart, plain, themeColour } from "./plot.js";

const MOST_LINES = 300;
// viridis, without the end that would not show on the page: told apart with any colour vision, and in grey
const ON_LIGHT = ["#440154", "#3B528B", "#21908C", "#4AB35F", "#C7B200"];
const ON_DARK = ["#8A6FD1", "#5C86CF", "#2FA79B", "#86D549", "#FDE725"];

/** Draws the lines; a box dragged over an axis keeps those that pass through it. */
export class ParallelCoordinates {
  #kept = null;
  #answer = null;

  /** @param {function(string)} onOpen - takes the id of a run that was pressed */
  constructor(onOpen) {
    this.chart = new Chart({ title: "Parallel coordinates", height: 400 });
    this.element = this.chart.element;
    this.chart.onPlotly("plotly_selected", (event) => this.#keep(event?.range));
    this.chart.onPlotly("plotly_deselect", () => this.#keep(null));
    this.chart.onPlotly("plotly_click", (event) => event.points[0].data.meta && onOpen(event.points[0].data.meta));
  }

  /** Show an answer of /api/sweep. */
  show(answer) {
    this.#answer = answer;
    this.chart.draw(() => build(answer, this.#kept));
  }

  destroy() {
    this.chart.destroy();
  }

  #keep(range) {
    this.#kept = range ? passing(this.#answer, range) : null;
    this.show(this.#answer);
  }
}

function layOut(answer) {
  const runs = answer.runs.filter((run) => typeof run.score === "number" && run.id).slice(0, MOST_LINES);
  return { runs, axes: [...answer.axes.map((name) => settingAxis(name, runs)), scoreAxis(answer, runs)] };
}

/** The ids of runs that pass through a box, on each axis in it, or on the nearest one where it holds none. */
function passing(answer, range) {
  const { runs, axes } = layOut(answer);
  const [left, right] = [...range.x].sort((a, b) => a - b);
  const [low, high] = [...range.y].sort((a, b) => a - b);
  const held = axes.filter((_, at) => left <= at && at <= right);
  const nearest = Math.min(axes.length - 1, Math.max(0, Math.round((left + right) / 2)));
  const asked = held.length ? held : [axes[nearest]];
  const passes = (run) => asked.map((one) => one.place(one.read(run))).every((place) => low <= place && place <= high);
  return new Set(runs.filter(passes).map((run) => run.id));
}

function build(answer, kept) {
  const { runs, axes } = layOut(answer);
  const colour = colourOf(axes.at(-1));
  const traces = runs.map((run) => line(run, axes, colour, kept));
  const layout = {
    uirevision: "same",
    dragmode: "select",
    selectdirection: "d",
    hovermode: "closest",
    margin: { l: 30, r: 40, t: 30, b: 20 },
    xaxis: axis({
      tickvals: axes.map((_, at) => at),
      ticktext: axes.map((one) => plain(one.title)),
      side: "top",
      range: [-0.08, axes.length - 1 + 0.09 * axes.length],
      showgrid: false,
      fixedrange: true,
      showline: false,
    }),
    yaxis: axis({ visible: false, range: [-0.06, 1.06], fixedrange: true }),
    shapes: axes.map((_, at) => ({
      type: "line",
      x0: at,
      x1: at,
      y0: 0,
      y1: 1,
      line: { color: themeColour("muted"), width: 1.5 },
      layer: "below",
    })),
    annotations: axes.flatMap((one, at) => one.ticks.map(([y, text]) => tick(at, y, text))),
  };
  return { traces, layout, label: describe(answer, runs) };
}

function line(run, axes, colour, kept) {
  const faint = kept !== null && !kept.has(run.id);
  const settings = axes.map((one) => `${one.title} ${one.show(one.read(run))}`).join("<br>");
  return {
    type: "scatter",
    mode: "lines+markers",
    x: axes.map((_, at) => at),
    y: axes.map((one) => one.place(one.read(run))),
    line: { color: colour(run.score), width: faint ? 1 : 2, shape: "spline", smoothing: 0.4 },
    marker: { color: colour(run.score), size: 5 },
    selected: { marker: { opacity: 1 } },
    unselected: { marker: { opacity: 1 } },
    opacity: faint ? 0.08 : 0.85,
    meta: run.id,
    hovertemplate: `${plain(run.job ?? run.id)}<br>${plain(settings).replaceAll("&lt;br&gt;", "<br>")}<extra></extra>`,
  };
}

function settingAxis(name, runs) {
  const read = (run) => run.point[name];
  const values = runs.map(read);
  const title = name.split(".").slice(-2).join(".");
  const numbers = values.length > 0 && values.every((value) => typeof value === "number");
  return numbers ? numberAxis({ title, read }, values, showValue) : namedAxis({ title, read }, values);
}

function scoreAxis({ metric }, runs) {
  const show = (value) => (/accuracy/.test(metric) ? `${(value * 100).toFixed(2)}%` : showValue(value));
  const one = numberAxis(
    { title: words(metric), read: (run) => run.score },
    runs.map((run) => run.score),
    show,
    "linear",
  );
  return one;
}

function numberAxis(about, values, show, scale) {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const [least, most] = [distinct[0] ?? 0, distinct.at(-1) ?? 1];
  const logarithmic = scale !== "linear" && least > 0 && most / least >= 20;
  const along = logarithmic ? Math.log : (value) => value;
  const place = (value) =>
    most === least || value === undefined ? 0.5 : (along(value) - along(least)) / (along(most) - along(least));
  const between = logarithmic ? Math.sqrt(least * most) : (least + most) / 2;
  const marked =
    distinct.length <= 6 && scale !== "linear" ? distinct : most === least ? [least] : [least, between, most];
  return { ...about, show, place, least, most, ticks: marked.map((value) => [place(value), show(value)]) };
}

function namedAxis(about, values) {
  const distinct = [...new Set(values.map(showValue))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  const place = (value) =>
    distinct.length < 2 ? 0.5 : Math.max(0, distinct.indexOf(showValue(value))) / (distinct.length - 1);
  const short = (text) => (text.length > 18 ? `${text.slice(0, 17)}…` : text);
  return { ...about, show: showValue, place, ticks: distinct.map((text) => [place(text), short(text)]) };
}

function tick(x, y, text) {
  const look = { size: 10.5, color: themeColour("text") };
  return {
    x,
    y,
    text: plain(text),
    showarrow: false,
    xanchor: "left",
    xshift: 6,
    font: look,
    bgcolor: themeColour("veil"),
  };
}

function colourOf(scores) {
  const scale = document.documentElement.dataset.theme === "dark" ? ON_DARK : ON_LIGHT;
  return (score) => {
    const along = scores.place(score) * (scale.length - 1);
    const from = Math.min(scale.length - 2, Math.floor(along));
    return mix(scale[from], scale[from + 1], along - from);
  };
}

function mix(from, to, share) {
  const parts = [1, 3, 5].map((at) => {
    const [a, b] = [from, to].map((colour) => parseInt(colour.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * share);
  });
  return `rgb(${parts.join(",")})`;
}

function describe({ axes, metric, best }, runs) {
  const first = best?.[0];
  const winner = first
    ? ` Best: ${Object.entries(first.point)
        .map(([name, value]) => `${name} ${showValue(value)}`)
        .join(", ")}.`
    : "";
  return `Parallel coordinates of ${runs.length} runs over ${axes.join(", ")} and ${metric}.${winner}`;
}
