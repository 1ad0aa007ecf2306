/** The rows that the page knows: runs, sweeps, comparisons, as the server last told them. */

/**
 * Fires "change" with `detail` {all, runs: ids changed, added: those of them that are new, removed: ids gone}.
 */
export class Store extends EventTarget {
  runs = new Map();
  sweeps = new Map();
  comparisons = new Map();
  problems = [];
  version = -1;
  loaded = false;

  /** Take a whole answer of /api/runs. */
  load(answer) {
    this.runs = byId(answer.runs);
    this.sweeps = byId(answer.sweeps);
    this.comparisons = byId(answer.comparisons);
    this.problems = answer.problems;
    this.version = answer.version;
    this.loaded = true;
    this.#tell({ all: true, runs: [...this.runs.keys()], added: [], removed: [] });
  }

  /** Take a change event; one that is not newer than what is held is ignored. */
  apply(change) {
    if (change.version <= this.version) return;
    this.version = change.version;
    this.problems = change.problems;
    for (const id of change.removed) {
      for (const rows of [this.runs, this.sweeps, this.comparisons]) rows.delete(id);
    }
    const runs = change.runs.map((row) => row.id);
    const added = runs.filter((id) => !this.runs.has(id));
    put(this.runs, change.runs);
    put(this.sweeps, change.sweeps);
    put(this.comparisons, change.comparisons);
    this.#tell({ all: false, runs, added, removed: change.removed });
  }

  #tell(detail) {
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}

function byId(rows) {
  return new Map(rows.map((row) => [row.id, row]));
}

function put(map, rows) {
  for (const row of rows) map.set(row.id, row);
}
