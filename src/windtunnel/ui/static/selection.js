/** The runs whose curves are drawn, each with a colour and, past the seventh, a dash of its own. */

const DASHES = ["solid", "dash", "dashdot", "longdash"];
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
export const MOST_SELECTED = COLOURS.length * DASHES.length;

/** The colour of a series, in the theme that is on: the last one, black, is white on a dark page. */
export function seriesColour(slot) {
  const colour = COLOURS[slot % COLOURS.length];
  return colour === "#000000" && document.documentElement.dataset.theme === "dark" ? "#F2F4F7" : colour;
}

/** The dash of a series. */
function seriesDash(slot) {
  return DASHES[Math.floor(slot / COLOURS.length) % DASHES.length];
}

/** Fires "change". A run keeps its colour while it is selected. */
export class Selection extends EventTarget {
  #slots = new Map();

  get ids() {
    return [...this.#slots.keys()];
  }

  has(id) {
    return this.#slots.has(id);
  }

  colour(id) {
    return seriesColour(this.#slots.get(id));
  }

  dash(id) {
    return seriesDash(this.#slots.get(id));
  }

  /** Take runs in or out; returns how many did not fit. */
  change({ add = [], remove = [] }) {
    for (const id of remove) this.#slots.delete(id);
    let left = 0;
    for (const id of add) left += this.#add(id) ? 0 : 1;
    this.dispatchEvent(new Event("change"));
    return left;
  }

  #add(id) {
    if (this.#slots.has(id)) return true;
    const taken = new Set(this.#slots.values());
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    if (slot >= MOST_SELECTED) return false;
    this.#slots.set(id, slot);
    return true;
  }
}
