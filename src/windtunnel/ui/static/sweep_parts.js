/** Small parts of a sweep's view. */

import { el, plainTable } from "./dom.js";
import { metric, percent, value as showValue } from "./format.js";

/** The settings by the mean of their scores. */
export function bestTable({ axes, best, metric: name }) {
  if (!best?.length)
    return el("p", { class: "quiet" }, "None yet: a setting counts as soon as a run of it has finished.");
  const heads = [
    { label: "" },
    ...axes.map((label) => ({ label, class: "number" })),
    { label: "mean", class: "number" },
    { label: "sd", class: "number" },
    { label: "n", class: "number" },
  ];
  const rows = best.map((one, at) => [
    String(at + 1),
    ...axes.map((field) => showValue(one.point[field])),
    metric(name, one.mean),
    one.n > 1 ? metric(name, one.sd) : "–",
    String(one.n),
  ]);
  return plainTable("Best settings", heads, rows);
}

/** A figure with its name and what goes with it. */
export function factCard([label, figure, more]) {
  return el(
    "div",
    { class: "fact" },
    el("span", { class: "fact-label" }, label),
    el("b", {}, figure),
    el("small", {}, more),
  );
}

/** How many runs have ended and how many are at work. */
export function progressBar(ended, running, total) {
  const part = (name, count) => {
    const bar = el("span", { class: name });
    bar.style.width = `${total ? (100 * count) / total : 0}%`;
    return bar;
  };
  const label = {
    role: "progressbar",
    "aria-label": "runs ended",
    "aria-valuenow": ended,
    "aria-valuemin": 0,
    "aria-valuemax": total,
  };
  return el("div", { class: "track", ...label }, part("done", ended), part("doing", running));
}

/** How much of the scores' differences a setting accounts for. */
export function importanceBar(field, share) {
  const bar = el("span", { class: "share" });
  bar.style.width = `${Math.max(1, 100 * share)}%`;
  return el(
    "li",
    {},
    el("span", {}, field),
    el("b", {}, percent(share, 0)),
    el("span", { class: "share-track", "aria-hidden": "true" }, bar),
  );
}

/** What the timeline's colours and lines stand for. */
export function timelineKey() {
  const key = (name, text) => el("span", {}, el("i", { class: `key ${name}`, "aria-hidden": "true" }), text);
  const items = [
    key("finished", "finished"),
    key("running", "running"),
    key("failed", "failed, diverged or crashed (hatched)"),
    key("predicted", "memory predicted"),
    key("measured", "memory measured"),
    key("waiting", "waiting"),
    key("at-work", "running"),
  ];
  return el("p", { class: "keys" }, ...items);
}
