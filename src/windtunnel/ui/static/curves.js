/** The curves of runs, read bit by bit: only epochs that are not here yet are asked for. */

import { get } from "./api.js";

const IDS_A_REQUEST = 40;

/** Epoch by epoch values of runs, by id. */
export class Curves {
  #byRun = new Map();
  #busy = Promise.resolve();

  /** The curves held of a run, or undefined. */
  of(id) {
    return this.#byRun.get(id);
  }

  /** Forget a run's curves: it was deleted, or began again. */
  forget(id) {
    this.#byRun.delete(id);
  }

  /** Fetch what runs have gained; requests follow one another. */
  fetch(ids) {
    this.#busy = this.#busy.then(() => this.#fetchAll(ids)).catch(() => undefined);
    return this.#busy;
  }

  /** Those whose epoch is not the one held: a run gained some, or went back, or its row is older than its curves. */
  stale(rows) {
    return rows.filter((row) => {
      const held = this.#byRun.get(row.id);
      return !held || (row.epoch ?? 0) !== (held.epoch.at(-1) ?? 0);
    });
  }

  async #fetchAll(ids) {
    for (let at = 0; at < ids.length; at += IDS_A_REQUEST) {
      const some = ids.slice(at, at + IDS_A_REQUEST);
      const from = some.map((id) => this.#byRun.get(id)?.epoch.length ?? 0);
      const generation = some.map((id) => this.#byRun.get(id)?.generation ?? "");
      const { curves } = await get("curves", { id: some, from, generation });
      for (const [id, answer] of Object.entries(curves)) this.#take(id, answer);
    }
  }

  #take(id, { from, rows, generation, ...series }) {
    const held = this.#byRun.get(id) ?? {};
    const joined = { generation };
    for (const [name, values] of Object.entries(series)) {
      joined[name] = from ? [...(held[name] ?? []).slice(0, from), ...values] : values;
    }
    this.#byRun.set(id, joined);
  }
}

/**
 * Exponential average with the weight of its missing past taken out, as wandb and TensorBoard smooth.
 * @param {(number|null)[]} values - gaps stay gaps
 * @param {number} weight - of the past, 0 up to but not 1
 */
export function smooth(values, weight) {
  let sum = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
