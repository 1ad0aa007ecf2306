/** The page: what lives as long as it does, and which view is on. */

import { get } from "./api.js";
import { Columns } from "./columns.js";
import { Curves } from "./curves.js";
import { el, emptyState, fill, note, setText } from "./dom.js";
import { plural } from "./format.js";
import { Live } from "./live.js";
import { showProblems } from "./problems.js";
import { readAddress } from "./router.js";
import { Selection } from "./selection.js";
import { Store } from "./store.js";
import { keptTheme, keepTheme } from "./theme.js";
import { RunsView } from "./view_runs.js";

const VIEWS_AFTER_MS = 1000;

// all but the first one are fetched when they are opened, or once the page is up: the server may be away later
const VIEWS = {
  runs: { load: () => RunsView, tab: "runs" },
  run: { load: async () => (await import("./view_run.js")).RunView, tab: "runs", ofOne: true },
  sweeps: { load: async () => (await import("./view_lists.js")).SweepsView, tab: "sweeps" },
  sweep: { load: async () => (await import("./view_sweep.js")).SweepView, tab: "sweeps", ofOne: true },
  comparisons: { load: async () => (await import("./view_lists.js")).ComparisonsView, tab: "comparisons" },
  comparison: {
    load: async () => (await import("./view_comparison.js")).ComparisonView,
    tab: "comparisons",
    ofOne: true,
  },
};

const app = {
  store: new Store(),
  selection: new Selection(),
  columns: new Columns(),
  curves: new Curves(),
  about: {},
  ready: null,
};
const live = new Live(app.store, () => get("runs"));
let current = null;
let runsAddress = "#/runs";
let isIncomplete = false;

start();

function start() {
  prepareTheme();
  prepareSkipLink();
  app.store.addEventListener("change", (event) => forgetRemoved(event.detail));
  app.store.addEventListener("change", () => showProblems(app.store.problems));
  live.addEventListener("state", (event) => showConnection(event.detail));
  live.addEventListener("state", (event) => event.detail === "live" && fetchViews());
  window.addEventListener("hashchange", () => show({ focus: true }));
  app.ready = loadAbout();
  live.start();
  show({ focus: false });
}

async function loadAbout() {
  app.about = await get("about").catch(() => ({}));
  const root = document.getElementById("root");
  setText(root, app.about.root ?? "");
  root.title = app.about.root ? `runs folder ${app.about.root}, windtunnel ${app.about.version}` : "";
  app.store.dispatchEvent(new CustomEvent("change", { detail: { all: false, runs: [], added: [], removed: [] } }));
}

async function show({ focus }) {
  const { view, parameters } = readAddress();
  const known = VIEWS[view];
  const address = location.hash;
  current?.destroy();
  current = null;
  const View = known?.ofOne && !parameters.get("id") ? null : known?.load();
  const build = View instanceof Promise ? await View.catch(() => null) : View;
  if (location.hash !== address) return;
  const main = document.getElementById("main");
  isIncomplete = View instanceof Promise && !build;
  current = build ? new build(app, parameters) : null;
  fill(main, current?.element ?? sayNoView());
  document.title = current ? `${current.title} · windtunnel` : "windtunnel";
  markTab(known?.tab, view);
  if (focus) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
}

function sayNoView() {
  if (isIncomplete) return emptyState("This view did not load", el("p", {}, "It comes when the server answers again."));
  return emptyState("There is no such view", el("a", { href: "#/runs" }, "Go to the runs"));
}

/** Fetch the views that were not opened yet, and show the one that could not be. */
function fetchViews() {
  if (isIncomplete) show({ focus: false });
  setTimeout(() => Promise.allSettled(Object.values(VIEWS).map((view) => view.load())), VIEWS_AFTER_MS);
}

function markTab(tab, view) {
  for (const anchor of document.querySelectorAll(".nav a")) {
    if (anchor.dataset.view === "runs" && view !== "runs") anchor.href = runsAddress;
    if (anchor.dataset.view === tab) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
}

window.addEventListener(
  "click",
  () => {
    if (readAddress().view === "runs") runsAddress = location.hash || "#/runs";
  },
  { capture: true },
);

function forgetRemoved({ all, removed }) {
  const gone = all ? app.selection.ids.filter((id) => !app.store.runs.has(id)) : removed;
  if (!gone.length) return;
  for (const id of gone) app.curves.forget(id);
  const drawn = gone.filter((id) => app.selection.has(id));
  if (drawn.length) app.selection.change({ remove: drawn });
  note(
    `${plural(gone.length, "folder")} gone from disk: ${gone.slice(0, 3).join(", ")}${gone.length > 3 ? ", …" : ""}`,
  );
}

function showConnection(state) {
  const texts = { loading: "loading", live: "live", reconnecting: "reconnecting" };
  const place = document.getElementById("connection");
  place.dataset.state = state;
  setText(place, texts[state]);
  place.title = state === "reconnecting" ? "The server does not answer; what is shown is what it last said." : "";
}

function prepareTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const say = () => {
    setText(button, root.dataset.theme === "dark" ? "☀" : "☾");
    document.dispatchEvent(new Event("themechange"));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    keepTheme(root.dataset.theme);
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    if (keptTheme()) return;
    root.dataset.theme = event.matches ? "dark" : "light";
    say();
  });
  say();
}

function prepareSkipLink() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
}
