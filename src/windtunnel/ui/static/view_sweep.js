/** One sweep: how far it is, which settings matter, which are best, and what its devices do. */

import { get } from "./api.js";
import { el, emptyState, fill, plainTable } from "./dom.js";
import { duration, exact, metric, plural, value as showValue, words } from "./format.js";
import { ParallelCoordinates } from "./parallel.js";
import { runButtons, sweepButtons } from "./queue_controls.js";
import { link } from "./router.js";
import { endedOf, statusBadge, sweepState } from "./status.js";
import { bestTable, factCard, importanceBar, progressBar, timelineKey } from "./sweep_parts.js";
import { Timeline } from "./timeline.js";

const MOST_ROWS = 400;
const TIMELINE_EVERY_MS = 2000;
const AT_WORK = new Set(["running", "waiting"]);

/** The view of one sweep. */
export class SweepView {
  #ended = new AbortController();
  #app;
  #id;
  #answer = null;
  #busy = false;
  #again = false;
  #timer = 0;
  #parallel = new ParallelCoordinates((id) => (location.hash = link("run", { id })));
  #timeline = new Timeline();
  #device;
  #head = el("div", { class: "heading-rest" });
  #facts = el("section", { class: "facts", "aria-label": "State of the sweep" });
  #importance = el("section", { class: "card" });
  #best = el("section", { class: "card" });
  #runs = el("section", { class: "card" });
  #missing = el("div", { hidden: true });
  #body;

  constructor(app, parameters) {
    this.#app = app;
    this.#id = parameters.get("id");
    this.title = app.store.sweeps.get(this.#id)?.name ?? this.#id.split("/").at(-1);
    const crumbs = el("p", { class: "crumbs" }, el("a", { href: "#/sweeps" }, "Sweeps"));
    const head = el("div", { class: "heading" }, el("h1", { tabindex: "-1" }, this.title), this.#head);
    const coordinates = el(
      "div",
      { class: "card filled" },
      this.#parallel.element,
      el("p", { class: "quiet" }, "Drag along an axis to keep the runs that pass there; double-click to show all."),
    );
    this.#device = el("div", { class: "card" }, this.#timeline.element, timelineKey());
    const settings = el("div", { class: "stack" }, this.#importance, this.#best);
    this.#body = el(
      "div",
      { class: "stack" },
      this.#facts,
      el("div", { class: "split" }, coordinates, settings),
      this.#device,
      this.#runs,
    );
    this.element = el("div", { class: "view" }, crumbs, head, this.#missing, this.#body);
    app.store.addEventListener("change", (event) => this.#follow(event.detail), { signal: this.#ended.signal });
    this.#load();
  }

  destroy() {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#parallel.destroy();
    this.#timeline.destroy();
  }

  #follow(change) {
    if (
      change.all ||
      change.removed.length ||
      change.runs.some((id) => this.#app.store.runs.get(id)?.parent === this.#id) ||
      this.#rowChanged()
    )
      this.#load();
  }

  #rowChanged() {
    const row = this.#app.store.sweeps.get(this.#id);
    return JSON.stringify(row) !== JSON.stringify(this.#answer?.row);
  }

  /** Ask anew; while an answer is awaited further calls ask once more afterwards. */
  async #load() {
    this.#again = this.#busy;
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    await this.#ask();
    this.#busy = false;
    if (this.#ended.signal.aborted) return;
    if (this.#again) this.#load();
    else if (this.#answer?.row.running) this.#timer = setTimeout(() => this.#load(), TIMELINE_EVERY_MS);
  }

  async #ask() {
    try {
      const [answer, timeline] = await Promise.all([
        get("sweep", { id: this.#id }),
        get("timeline", { id: this.#id }).catch(noTimeline),
        this.#app.ready,
      ]);
      if (!this.#ended.signal.aborted) this.#show(answer, timeline);
    } catch (problem) {
      if (problem.status === undefined && this.#answer) return;
      this.#body.hidden = true;
      this.#missing.hidden = false;
      fill(
        this.#missing,
        emptyState(
          "This sweep cannot be shown",
          el("p", {}, problem.message),
          el("a", { href: "#/sweeps" }, "All sweeps"),
        ),
      );
    }
  }

  #show(answer, timeline) {
    const same = JSON.stringify(answer) === JSON.stringify(this.#answer);
    this.#answer = answer;
    this.#missing.hidden = true;
    this.#body.hidden = false;
    this.#showFacts(answer, timeline);
    this.#device.hidden = !timeline.devices;
    if (timeline.devices) this.#timeline.show(timeline);
    if (same) return;
    this.#showHead(answer, timeline.paused);
    this.#parallel.show(answer);
    this.#showImportance(answer);
    fill(
      this.#best,
      el("h2", {}, "Best settings"),
      bestTable(answer),
      el("p", { class: "quiet" }, `${words(answer.metric ?? "score")} over the seeds of a setting`),
    );
    this.#showRuns(answer);
  }

  #showHead({ row, runs }, paused) {
    const select = runs
      .filter((run) => run.id)
      .slice(0, 28)
      .map((run) => run.id);
    const links = [
      el(
        "a",
        { class: "button", href: link("runs", { text: this.#id, select, sort: "-best_val_accuracy" }) },
        "Runs and curves",
      ),
      ...(this.#app.about.control && (row.running || row.waiting) ? sweepButtons(this.#id, paused) : []),
    ];
    fill(this.#head, statusBadge(paused ? "paused" : sweepState(row)), el("span", { class: "spacer" }), ...links);
  }

  #showFacts({ row, metric: name, goal }, timeline) {
    const ended = endedOf(row);
    const total = row.total ?? ended + row.running + row.waiting;
    const bound = timeline.lower_bound_s
      ? `${duration(timeline.lower_bound_s)}${timeline.bound_by ? ` (${timeline.bound_by})` : ""}`
      : "–";
    const states = Object.entries(row.ended ?? {}).map(([status, count]) => `${count} ${status}`);
    const left = timeline.remaining
      ? `${duration(timeline.remaining[0])} to ${duration(timeline.remaining[1])}`
      : sweepState(row) === "finished"
        ? "none"
        : "–";
    const nobody = row.status === "idle" && left === "–" ? "nobody works on it; its command goes on" : "";
    const facts = [
      [
        "runs ended",
        `${ended} of ${total}`,
        [...states, `${row.running} running`, `${row.waiting} waiting`].join(", "),
      ],
      [
        `best ${words(name ?? "score")}`,
        metric(name ?? "", row.best),
        goal === "min" ? "lower is better" : "higher is better",
      ],
      ["elapsed", duration(timeline.elapsed_s), `lower bound ${bound}`],
      ["left", left, timeline.remaining ? "by the runs so far" : nobody],
    ];
    fill(this.#facts, ...facts.map(factCard), progressBar(ended, row.running, total));
  }

  #showImportance({ importance, importance_note: remark }) {
    const shares = Object.entries(importance ?? {}).sort((a, b) => b[1] - a[1]);
    const bars = shares.map(([field, share]) => importanceBar(field, share));
    const body = bars.length ? el("ul", { class: "importance" }, ...bars) : null;
    const about = bars.length
      ? remark || "Share of the score's variance that each setting accounts for."
      : `Not known yet: ${remark}.`;
    fill(this.#importance, el("h2", {}, "What matters"), body, el("p", { class: "quiet" }, about));
  }

  #showRuns({ axes, runs, metric: name }) {
    const control = this.#app.about.control && runs.some((run) => AT_WORK.has(run.status));
    const heads = [
      { label: "status" },
      { label: "run" },
      ...axes.map((label) => ({ label, class: "number" })),
      { label: "seed", class: "number" },
      { label: words(name ?? "score"), class: "number" },
      ...(control ? [{ label: "queue" }] : []),
    ];
    const lines = runs
      .slice(0, MOST_ROWS)
      .map((run) => [
        statusBadge(run.status),
        run.id ? el("a", { href: link("run", { id: run.id }) }, run.job ?? run.id) : run.job,
        ...axes.map((field) => showValue(run.point[field])),
        exact(run.seed),
        metric(name ?? "", run.score),
        ...(control
          ? [AT_WORK.has(run.status) ? el("span", { class: "buttons" }, ...runButtons(this.#id, run.job)) : ""]
          : []),
      ]);
    const more =
      runs.length > MOST_ROWS
        ? el("p", { class: "quiet" }, `The first ${MOST_ROWS} of ${runs.length}; the run table has all.`)
        : null;
    fill(this.#runs, el("h2", {}, plural(runs.length, "run")), plainTable("Runs of the sweep", heads, lines), more);
  }
}

/** A sweep that no dispatcher has worked on has none; any other refusal is the view's. */
function noTimeline(problem) {
  if (problem.status === 404) return {};
  throw problem;
}
