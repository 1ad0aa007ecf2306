/** The parts of a run's view beside its curves. */

import { address, get } from "./api.js";
import { Confusion } from "./confusion.js";
import { commandLine, copyButton, el, emptyState, fill, plainTable, setText } from "./dom.js";
import { exact, metric, number, percent, words } from "./format.js";
import { shortName } from "./run_cells.js";

const MOST_OTHERS = 500;

/** The config, how to train it again, and what differs from another run. */
export class ConfigTab {
  #id;
  #view;
  #result = el("div");

  constructor(app, answer, view) {
    this.#id = answer.row.id;
    this.#view = view;
    const chosen = el("select", { "aria-label": "Another run", on: { change: () => this.#compare(chosen.value) } });
    const others = [...app.store.runs.values()]
      .filter((row) => row.id !== this.#id)
      .sort((a, b) => (b.started ?? 0) - (a.started ?? 0));
    const near = others
      .sort((a, b) => Number(b.parent === answer.row.parent) - Number(a.parent === answer.row.parent))
      .slice(0, MOST_OTHERS);
    fill(
      chosen,
      el("option", { value: "" }, "choose a run"),
      ...near.map((row) => el("option", { value: row.id }, `${shortName(row)} (${row.id})`)),
    );
    chosen.value = view.to;
    const difference = el(
      "section",
      { class: "card" },
      el("h2", {}, "Difference to another run"),
      el("label", { class: "field" }, "held against", chosen),
      this.#result,
    );
    const again = el("section", { class: "card" }, el("h2", {}, "Train it again"), ...reproduce(app, answer));
    const config = el(
      "section",
      { class: "card" },
      el("div", { class: "bar" }, el("h2", {}, "config.yaml"), copyButton(answer.config)),
      el("pre", { class: "code", tabindex: "0" }, answer.config),
    );
    this.element = el("div", { class: "split even" }, config, el("div", { class: "stack" }, again, difference));
    this.#compare(view.to);
  }

  destroy() {}

  async #compare(to) {
    this.#view.rememberOther(to);
    if (!to) {
      fill(this.#result, el("p", { class: "quiet" }, "Fields whose values differ are listed here."));
      return;
    }
    try {
      const { differences } = await get("difference", { id: this.#id, to });
      const heads = [{ label: "field" }, { label: "this run" }, { label: "the other" }];
      const rows = differences.map((one) => [one.field, exact(one.a), exact(one.b)]);
      fill(
        this.#result,
        rows.length ? plainTable("Differences", heads, rows) : el("p", {}, "The configs are the same."),
      );
    } catch (problem) {
      fill(this.#result, el("p", {}, problem.message));
    }
  }
}

function reproduce(app, { row, environment }) {
  const file = `${folderOf(app, row)}/config.yaml`;
  const git = environment?.git?.commit ?? environment?.commit;
  const packages = Object.entries(environment?.packages ?? {}).map(([name, version]) => `${name} ${version}`);
  const about = [`windtunnel ${environment?.windtunnel ?? "?"}`, `Python ${environment?.python ?? "?"}`, ...packages];
  return [
    commandLine(`windtunnel train ${quote(file)}`),
    el("p", { class: "quiet" }, about.join(" · ")),
    git ? el("p", { class: "quiet" }, `commit ${git}`) : null,
    environment?.argv
      ? el("p", { class: "quiet" }, "started as: ", el("code", {}, environment.argv.map(quote).join(" ")))
      : null,
  ];
}

function folderOf(app, row) {
  return `${app.about.root ?? "."}/${row.id}`;
}

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Evaluations: figures, confusion matrix, and each class. */
export class EvaluationTab {
  #drawn = "";
  #charts = [];
  #app;
  element = el("div", { class: "stack" });

  constructor(app, answer) {
    this.#app = app;
    this.update(answer);
  }

  update({ row, evaluations }) {
    const wanted = JSON.stringify(evaluations);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    this.destroy();
    if (!evaluations.length) {
      const hint = el(
        "p",
        {},
        "An evaluation adds the confusion matrix, each class's figures and the misclassified images.",
      );
      fill(
        this.element,
        emptyState("Not evaluated yet", hint, commandLine(`windtunnel eval ${quote(folderOf(this.#app, row))}`)),
      );
      return;
    }
    fill(this.element, ...evaluations.map((one) => this.#build(one)));
  }

  destroy() {
    for (const chart of this.#charts.splice(0)) chart.destroy();
  }

  #build(evaluation) {
    const figures = Object.entries(evaluation.metrics ?? {}).filter(([, value]) => typeof value === "number");
    const cards = figures.map(([name, value]) =>
      el("div", { class: "fact" }, el("span", { class: "fact-label" }, words(name)), el("b", {}, metric(name, value))),
    );
    const parts = [];
    if (evaluation.confusion?.length) {
      const confusion = new Confusion(evaluation);
      this.#charts.push(confusion);
      parts.push(confusion.element);
    }
    if (evaluation.per_class?.length) parts.push(classTable(evaluation.per_class));
    return el(
      "section",
      {},
      el("h2", {}, evaluation.name.replace("evaluation-", "Evaluation: ")),
      el("div", { class: "facts" }, ...cards),
      el("div", { class: "split even" }, ...parts),
    );
  }
}

function classTable(classes) {
  const shares = ["precision", "recall", "f1"];
  const heads = [
    { label: "class" },
    { label: "images", class: "number" },
    ...shares.map((label) => ({ label, class: "number" })),
  ];
  const rows = classes.map((one, at) => [
    String(one.name ?? at),
    number(one.images),
    ...shares.map((name) => percent(one[name], 1)),
  ]);
  return el("section", { class: "card" }, el("h3", {}, "Each class"), plainTable("Each class", heads, rows));
}

/** The pictures that lie in the run's folder. */
export class PicturesTab {
  #app;
  #drawn = null;
  element = el("div", { class: "pictures" });

  constructor(app, answer) {
    this.#app = app;
    this.update(answer);
  }

  destroy() {}

  update({ row, pictures, evaluations }) {
    const names = [
      ...pictures,
      ...evaluations.flatMap((one) => one.pictures.map((name) => (name.includes("/") ? name : `${one.name}/${name}`))),
    ];
    if (names.join() === this.#drawn) return;
    this.#drawn = names.join();
    if (names.length) fill(this.element, ...[...new Set(names)].map((name) => picture(row, name)));
    else
      fill(
        this.element,
        emptyState(
          "No pictures yet",
          el("p", {}, "Training draws curves.png at its end; an evaluation adds a gallery of errors and more."),
          commandLine(`windtunnel eval ${quote(folderOf(this.#app, row))}`),
        ),
      );
  }
}

function picture(row, name) {
  const source = address("picture", { id: row.id, name });
  const image = el("img", { src: source, alt: `${name} of ${row.name}`, loading: "lazy" });
  return el(
    "figure",
    { class: "card picture" },
    el("a", { href: source, target: "_blank", rel: "noopener" }, image),
    el("figcaption", {}, name),
  );
}

/** The end of the log, kept up to date while the run trains. */
export class LogTab {
  #id;
  #text = el("pre", { class: "code log", tabindex: "0", "aria-label": "End of the log" }, "…");
  element = el("section", { class: "card" }, el("h2", {}, "End of the log"), this.#text);

  constructor(app, answer) {
    this.#id = answer.row.id;
  }

  destroy() {}

  async update() {
    const { text } = await get("log", { id: this.#id, bytes: 20000 }).catch((problem) => ({
      text: problem.status ? problem.message : this.#text.textContent, // a server that is away leaves what it said
    }));
    const atEnd = this.#text.scrollTop + this.#text.clientHeight >= this.#text.scrollHeight - 8;
    setText(this.#text, text || "Nothing was logged.");
    if (atEnd) this.#text.scrollTop = this.#text.scrollHeight;
  }
}
