/** Charts: Plotly, loaded when the first one is drawn, in the page's colours. */

const NO_BUTTONS = { displayModeBar: false, responsive: false, doubleClickDelay: 400 };
let library = null;

/** Load Plotly, once. */
function loadPlotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/plotly.min.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null;
      reject(new Error("the chart library did not load"));
    };
    document.head.append(script);
  });
  return library;
}

/** A name as Plotly shall show it: it reads markup and templates in texts, so their characters are spelled out. */
export function plain(text) {
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("%{", "&#37;{");
}

/** A figure of fixed height whose chart can be drawn again and again. */
export class Chart {
  #body = document.createElement("div");
  #drawn = null;
  #pending = false;
  #listeners = [];
  #size = new ResizeObserver(() => this.#resize());
  #onTheme = () => this.#schedule();

  /**
   * @param {object} texts
   * @param {string} texts.title - what is drawn, with its unit
   * @param {number} texts.height - pixels
   */
  constructor({ title, height }) {
    this.element = document.createElement("figure");
    this.element.className = "chart";
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    this.#body.className = "chart-body";
    this.#body.style.height = `${height}px`;
    this.#body.setAttribute("role", "img");
    this.#body.setAttribute("aria-label", title);
    this.element.append(caption, this.#body);
    this.#size.observe(this.#body);
    document.addEventListener("themechange", this.#onTheme);
  }

  /** Pixels; only a change of what is shown moves it. */
  set height(pixels) {
    this.#body.style.height = `${pixels}px`;
  }

  /**
   * Draw, soon: several calls before the next frame draw once.
   * @param {function(): {traces: object[], layout: object, label: string}} build - asked at drawing time, so that it
   *   sees the theme that is on; `label` says for a screen reader what the chart shows
   */
  draw(build) {
    this.#drawn = build;
    this.#schedule();
  }

  /** Listen to one of Plotly's events; starts with the first drawing. */
  onPlotly(event, listener) {
    this.#listeners.push([event, listener]);
  }

  destroy() {
    this.#size.disconnect();
    document.removeEventListener("themechange", this.#onTheme);
    if (window.Plotly && this.#body.data) window.Plotly.purge(this.#body);
    this.#drawn = null;
  }

  #schedule() {
    if (this.#pending || !this.#drawn) return;
    this.#pending = true;
    requestAnimationFrame(() => this.#drawNow());
  }

  async #drawNow() {
    const Plotly = await loadPlotly().catch(() => null);
    this.#pending = false;
    if (!this.#drawn || !this.#body.isConnected) return;
    if (!Plotly) {
      this.#body.textContent = "The chart library did not load; reload the page.";
      return;
    }
    if (!this.#body.data) this.#body.textContent = "";
    const { traces, layout, label } = this.#drawn();
    this.#body.setAttribute("aria-label", label);
    await Plotly.react(this.#body, traces, { ...houseLayout(), ...layout }, NO_BUTTONS);
    for (const [event, listener] of this.#listeners.splice(0)) this.#body.on(event, listener);
  }

  #resize() {
    if (this.#body.data && this.#body.offsetWidth) window.Plotly.Plots.resize(this.#body);
  }
}

/** A colour of the theme that is on, by its name in theme.css. */
export function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** An axis in the house style, with what is special about it. */
export function axis(special = {}) {
  return {
    automargin: true,
    color: themeColour("muted"),
    gridcolor: themeColour("grid"),
    linecolor: themeColour("line"),
    zeroline: false,
    ...special,
    title: { text: special.title ?? "", font: { size: 11.5 }, standoff: 6 },
  };
}

/**
 * What a chart of a few rows, each with a name, adds to its layout: the names stand above their rows, since beside
 * them they would take most of a narrow screen.
 * @param {string[]} labels - of the rows, top to bottom, as `plain` gives them
 */
export function namedRows(labels) {
  const place = { xref: "paper", x: 0, xanchor: "left", yref: "y", yanchor: "bottom", yshift: 10, showarrow: false };
  return {
    margin: { l: 16, r: 16, t: 10, b: 44 },
    yaxis: axis({ type: "category", autorange: "reversed", showticklabels: false }),
    annotations: labels.map((text) => ({ ...place, y: text, text, font: { color: themeColour("muted") } })),
  };
}

function houseLayout() {
  const surface = themeColour("surface");
  return {
    autosize: true,
    paper_bgcolor: surface,
    plot_bgcolor: surface,
    font: { family: themeColour("font"), size: 11.5, color: themeColour("text") },
    margin: { l: 52, r: 14, t: 8, b: 38 },
    showlegend: false,
    hoverlabel: {
      bgcolor: themeColour("raised"),
      bordercolor: themeColour("line"),
      font: { color: themeColour("text"), size: 12 },
      namelength: 40,
    },
  };
}
