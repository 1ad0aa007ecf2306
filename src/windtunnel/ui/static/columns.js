/** The columns of the run table: what a run is, its metrics, and any field of its config. */

import { count, duration, exact, metric, shortMoment, value as showValue, words } from "./format.js";

/** Shown until somebody chooses. */
export const USUAL_COLUMNS = [
  "status",
  "name",
  "parent",
  "epoch",
  "best_val_accuracy",
  "metrics.test_accuracy",
  "metrics.val_loss",
  "seconds",
  "started",
];

/** Shown on a narrow page until somebody chooses. */
export const NARROW_COLUMNS = ["status", "name", "epoch", "best_val_accuracy", "seconds"];

const ABOUT_RUNS = [
  { key: "status", label: "status", width: 112, narrow: 34, value: (row) => row.status },
  { key: "name", label: "run", width: 240, narrow: 150, grows: true, value: (row) => row.name },
  { key: "project", label: "project", width: 120, value: (row) => row.project },
  { key: "parent", label: "part of", width: 150, value: (row) => row.parent },
  { key: "epoch", label: "epoch", width: 104, narrow: 72, number: true, value: (row) => row.epoch, text: showEpoch },
  {
    key: "best_val_accuracy",
    label: "best val acc.",
    width: 130,
    narrow: 104,
    number: true,
    value: (row) => row.best_val_accuracy,
    text: (fraction) => metric("accuracy", fraction),
  },
  { key: "seconds", label: "time", width: 108, narrow: 70, number: true, value: (row) => row.seconds, text: duration },
  { key: "started", label: "started", width: 122, number: true, value: (row) => row.started, text: shortMoment },
  { key: "updated", label: "updated", width: 122, number: true, value: (row) => row.updated, text: shortMoment },
  { key: "step", label: "step", width: 90, number: true, value: (row) => row.step, text: showValue },
  { key: "parameters", label: "parameters", width: 104, number: true, value: (row) => row.parameters, text: count },
  { key: "seed", label: "seed", width: 70, number: true, value: (row) => row.seed, text: exact },
  { key: "device", label: "device", width: 190, value: (row) => row.device },
  { key: "precision", label: "precision", width: 96, value: (row) => row.precision },
];

/** Every column by its key; grows with the metrics that runs report and the fields of their configs. */
export class Columns {
  #all = new Map(ABOUT_RUNS.map((column) => [column.key, finish(column)]));
  #values = new Map();
  fields = [];

  /** Take the metrics that rows have. */
  learn(rows) {
    for (const row of rows) {
      for (const name in row.metrics) {
        if (!this.#all.has(`metrics.${name}`)) this.#all.set(`metrics.${name}`, metricColumn(name));
      }
    }
  }

  /** Take the fields of the configs, most varied first. */
  learnFields(fields) {
    this.fields = fields;
    for (const { name } of fields) if (!this.#all.has(name)) this.#all.set(name, this.#fieldColumn(name));
  }

  /** Take values of config fields: {field: {run id: value}}. */
  learnValues(values) {
    for (const [field, byRun] of Object.entries(values)) this.#values.set(field, new Map(Object.entries(byRun)));
  }

  /** Fields among these keys whose values some of these runs still lack. */
  missing(keys, ids) {
    const names = new Set(this.fields.map((field) => field.name));
    return keys.filter(
      (key) => names.has(key) && !(this.#values.has(key) && ids.every((id) => this.#values.get(key).has(id))),
    );
  }

  /** The column of a key, or of the only name that ends with it: "lr" finds "optim.lr". */
  find(key) {
    const exact = this.#all.get(key) ?? this.#all.get(`metrics.${key}`);
    if (exact) return exact;
    const near = [...this.#all.keys()].filter((name) => name.endsWith(`.${key}`));
    return near.length === 1 ? this.#all.get(near[0]) : undefined;
  }

  /** All columns, for choosing. */
  list() {
    return [...this.#all.values()];
  }

  #fieldColumn(name) {
    const value = (row) => this.#values.get(name)?.get(row.id);
    return finish({ key: name, label: name, width: Math.min(190, 60 + 8 * name.length), value, field: true });
  }
}

function metricColumn(name) {
  const text = (value) => metric(name, value);
  const value = (row) => row.metrics?.[name];
  return finish({
    key: `metrics.${name}`,
    label: words(name).replace("accuracy", "acc."),
    width: 116,
    number: true,
    metric: true,
    value,
    text,
  });
}

function finish(column) {
  return { text: showValue, ...column };
}

function showEpoch(epoch, row) {
  return row?.epochs ? `${showValue(epoch ?? 0)} / ${showValue(row.epochs)}` : showValue(epoch);
}
