/** Follows the server's event stream; after a restart or a break it loads everything anew. */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4000;

/** Fires "state" with `detail` "loading", "live" or "reconnecting". */
export class Live extends EventTarget {
  #store;
  #load;
  #boot = null;
  #stream = null;
  #loading = 0;
  #held = [];
  #wait = FIRST_WAIT_MS;

  /**
   * @param {Store} store - takes what comes
   * @param {function(): Promise<object>} load - fetches all rows
   */
  constructor(store, load) {
    super();
    this.#store = store;
    this.#load = load;
  }

  /** Load the rows once and follow the changes from then on. */
  async start() {
    this.#say("loading");
    try {
      await this.#loadAll();
    } catch {
      // the stream's hello loads them as soon as the server answers
    }
    document.addEventListener("visibilitychange", () => this.#followSight());
    this.#connect();
  }

  /** A page in the background lets go of its stream: a browser has few connections for all its pages together. */
  #followSight() {
    if (!document.hidden) this.#connect();
    else {
      this.#stream?.close();
      this.#stream = null;
    }
  }

  #connect() {
    if (document.hidden || this.#stream) return;
    const stream = new EventSource("/api/events");
    this.#stream = stream;
    stream.addEventListener("hello", (event) => this.#greet(JSON.parse(event.data), stream));
    stream.addEventListener("change", (event) => this.#take(JSON.parse(event.data)));
    stream.addEventListener("error", () => this.#retry(stream));
  }

  /** Load all rows; changes that come meanwhile are told after them, since they may be newer. */
  async #loadAll() {
    this.#loading += 1;
    try {
      this.#store.load(await this.#load());
    } finally {
      this.#loading -= 1;
      if (!this.#loading) for (const change of this.#held.splice(0)) this.#store.apply(change);
    }
  }

  #take(change) {
    if (this.#loading) this.#held.push(change);
    else this.#store.apply(change);
  }

  async #greet({ boot, version }, stream) {
    const restarted = this.#boot !== null && this.#boot !== boot;
    if (restarted) this.#held = [];
    try {
      if (restarted || !this.#store.loaded || this.#store.version !== version) await this.#loadAll();
      this.#boot = boot;
    } catch {
      this.#retry(stream);
      return;
    }
    this.#wait = FIRST_WAIT_MS;
    this.#say("live");
  }

  #retry(stream) {
    if (stream !== this.#stream) return;
    // closed by hand: the browser's own retry gives up for good on some answers
    this.#stream = null;
    stream.close();
    this.#say("reconnecting");
    setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
  }

  #say(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
