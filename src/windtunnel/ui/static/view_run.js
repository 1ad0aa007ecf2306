/** One run: its state, curves, config and what differs from another run, evaluations, pictures and log. */

import { get } from "./api.js";
import { CurvePanel } from "./curve_panel.js";
import { el, emptyState, fill } from "./dom.js";
import { count, duration, exact, metric, shortMoment, words } from "./format.js";
import { link, remember } from "./router.js";
import { shortName } from "./run_cells.js";
import { ConfigTab, EvaluationTab, LogTab, PicturesTab } from "./run_tabs.js";
import { seriesColour } from "./selection.js";
import { statusBadge } from "./status.js";

/** Parts that others than the training add to when it has long ended: nobody tells of that, so it is looked for. */
const LOOKED_FOR = new Set(["evaluation", "pictures"]);
const LOOK_EVERY_MS = 3000;
const TABS = { curves: "Curves", config: "Config", evaluation: "Evaluation", pictures: "Pictures", log: "Log" };

/** The view of one run. */
export class RunView {
  #ended = new AbortController();
  #app;
  #id;
  #tab;
  #answer = null;
  #shown = null;
  #crumbs = el("p", { class: "crumbs" });
  #head = el("div", { class: "heading-rest" });
  #facts = el("section", { class: "facts", "aria-label": "Facts" });
  #tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the run" });
  #body = el("div", { class: "tab-body", role: "tabpanel" });
  #missing = el("div", { hidden: true });
  #heading;
  #timer;

  constructor(app, parameters) {
    this.#app = app;
    this.#id = parameters.get("id");
    this.#tab = parameters.get("tab") in TABS ? parameters.get("tab") : "curves";
    this.to = parameters.get("to") ?? "";
    this.title = this.#id.split("/").at(-1);
    this.#heading = el("h1", { tabindex: "-1" }, this.title);
    const head = el("div", { class: "heading" }, this.#heading, this.#head);
    this.element = el("div", { class: "view" }, this.#crumbs, head, this.#missing, this.#facts, this.#tabs, this.#body);
    this.#tabs.addEventListener("keydown", (event) => this.#press(event));
    app.store.addEventListener("change", (event) => this.#follow(event.detail), { signal: this.#ended.signal });
    this.#timer = setInterval(() => this.#lookForMore(), LOOK_EVERY_MS);
    this.#drawTabs();
    this.#drawHead();
    this.#load();
  }

  destroy() {
    this.#ended.abort();
    clearInterval(this.#timer);
    this.#shown?.destroy();
  }

  /** Remember in the address which run this one is held against. */
  rememberOther(to) {
    this.to = to;
    remember("run", { id: this.#id, tab: this.#tab, to });
  }

  #follow(change) {
    const row = this.#app.store.runs.get(this.#id);
    if (change.removed.includes(this.#id) || (change.all && !row))
      this.#sayGone(`Its folder ${this.#id} is gone from disk.`);
    else if (change.all || change.runs.includes(this.#id)) {
      this.#drawHead();
      const isBack = change.added.includes(this.#id);
      if (change.all || isBack || row?.status !== this.#answer?.row.status) this.#load();
      else this.#shown?.update?.(this.#answer, row);
    }
  }

  #lookForMore() {
    if (LOOKED_FOR.has(this.#tab) && this.#answer && this.#missing.hidden && !document.hidden) this.#load();
  }

  async #load() {
    try {
      [this.#answer] = await Promise.all([get("run", { id: this.#id }), this.#app.ready]);
    } catch (problem) {
      if (problem.status) this.#sayGone(problem.message);
      return;
    }
    if (this.#ended.signal.aborted) return;
    this.#setGone(false);
    this.#drawHead();
    if (this.#shown) this.#shown.update?.(this.#answer, this.#row());
    else this.#openTab(this.#tab);
  }

  #row() {
    return this.#app.store.runs.get(this.#id) ?? this.#answer?.row;
  }

  #setGone(gone) {
    this.#missing.hidden = !gone;
    for (const part of [this.#facts, this.#tabs, this.#body]) part.hidden = gone;
  }

  #sayGone(reason) {
    this.#setGone(true);
    fill(
      this.#missing,
      emptyState("This run cannot be shown", el("p", {}, reason), el("a", { href: "#/runs" }, "All runs")),
    );
  }

  #drawHead() {
    const row = this.#row();
    if (!row) return;
    const parent =
      row.parent &&
      el(
        "a",
        { href: link(this.#app.store.comparisons.has(row.parent) ? "comparison" : "sweep", { id: row.parent }) },
        row.parent,
      );
    fill(this.#crumbs, el("a", { href: "#/runs" }, "Runs"), parent ? " / " : null, parent || null);
    this.#heading.textContent = shortName(row);
    fill(this.#head, statusBadge(row.status), el("span", { class: "quiet path" }, row.id));
    const best = [["best val accuracy", metric("accuracy", row.best_val_accuracy)], ...finalMetrics(row)];
    const facts = [
      ["epoch", row.epochs ? `${row.epoch ?? 0} / ${row.epochs}` : String(row.epoch ?? "–")],
      ...best,
      ["training time", duration(row.seconds)],
      ["parameters", count(row.parameters)],
      ["seed", exact(row.seed)],
      ["started", shortMoment(row.started)],
      ["device", row.device ?? "–"],
    ];
    fill(
      this.#facts,
      ...facts.map(([label, figure]) =>
        el(
          "div",
          { class: label === "device" ? "fact roomy" : "fact" },
          el("span", { class: "fact-label" }, label),
          el("b", { title: figure }, figure),
        ),
      ),
    );
  }

  #drawTabs() {
    const tabs = Object.entries(TABS).map(([key, label]) => {
      const chosen = key === this.#tab;
      const on = { click: () => this.#openTab(key) };
      return el(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(chosen),
          tabindex: chosen ? "0" : "-1",
          "data-tab": key,
          on,
        },
        label,
      );
    });
    fill(this.#tabs, ...tabs);
  }

  #press(event) {
    const keys = Object.keys(TABS);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    this.#openTab(keys[(keys.indexOf(this.#tab) + step + keys.length) % keys.length]);
    this.#tabs.querySelector('[aria-selected="true"]').focus();
  }

  #openTab(key) {
    this.#tab = key;
    this.#drawTabs();
    remember("run", { id: this.#id, tab: key === "curves" ? "" : key, to: this.to });
    if (!this.#answer) return;
    this.#shown?.destroy();
    const build = {
      curves: CurvesTab,
      config: ConfigTab,
      evaluation: EvaluationTab,
      pictures: PicturesTab,
      log: LogTab,
    }[key];
    this.#shown = new build(this.#app, this.#answer, this);
    this.#body.setAttribute("aria-label", TABS[key]);
    fill(this.#body, this.#shown.element);
    this.#shown.update?.(this.#answer, this.#row());
  }
}

class CurvesTab {
  #app;
  #panel = new CurvePanel();

  constructor(app) {
    this.#app = app;
    this.element = this.#panel.element;
  }

  async update(answer, row) {
    const { curves } = this.#app;
    if (curves.stale([row]).length) await curves.fetch([row.id]);
    if (!this.element.isConnected) return;
    row = this.#app.store.runs.get(row.id) ?? row; // it may have gone on while its curves were fetched
    this.#panel.show([
      { id: row.id, row, name: shortName(row), colour: seriesColour(0), dash: "solid", curves: curves.of(row.id) },
    ]);
  }

  destroy() {
    this.#panel.destroy();
  }
}

function finalMetrics(row) {
  const shown = ["test_accuracy", "val_loss", "train_loss"].filter((name) => typeof row.metrics?.[name] === "number");
  return shown.slice(0, 1).map((name) => [words(name), metric(name, row.metrics[name])]);
}
