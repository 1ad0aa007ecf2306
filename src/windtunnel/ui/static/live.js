/** Follows the server's event stream; after a restart or a break it loads everything anew. */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4000;

/** Fires "state" with `detail` "loading", "live" or "reconnecting". */
export class Live extends EventTarget {
  #store;
  #load;
  #boot = null;
  #stream = null;
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
      this.#store.load(await this.#load());
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
    stream.addEventListener("change", (event) => this.#store.apply(JSON.parse(event.data)));
    stream.addEventListener("error", () => this.#retry(stream));
  }

  async #greet({ boot, version }, stream) {
    const restarted = this.#boot !== null && this.#boot !== boot;
    try {
      if (restarted || !this.#store.loaded || this.#store.version < version) this.#store.load(await this.#load());
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
