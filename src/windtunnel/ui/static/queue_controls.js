/** Buttons that change a sweep's queue; there only when the server allows control, and each asks before it acts. */

import { changeQueue } from "./api.js";
import { el, note } from "./dom.js";

/** Pause and resume for a whole sweep. */
export function sweepButtons(sweep, paused) {
  const wish = { sweep, action: paused ? "resume" : "pause", run: null, priority: null };
  const text = paused ? "Start runs of this sweep again?" : "Start no further runs of this sweep? Those at work go on.";
  const on = { click: () => confirm({ title: paused ? "Resume" : "Pause", text, wish: () => wish }) };
  return [el("button", { type: "button", on }, paused ? "Resume" : "Pause")];
}

/** Cancel and priority for one run that waits or runs. */
export function runButtons(sweep, job) {
  const cancel = () =>
    confirm({ title: "Cancel run", text: `End ${job} for good?`, wish: () => wishFor(sweep, "cancel", job) });
  return [
    el("button", { type: "button", class: "small", on: { click: () => askPriority(sweep, job) } }, "Priority"),
    el("button", { type: "button", class: "small danger", on: { click: cancel } }, "Cancel"),
  ];
}

function askPriority(sweep, job) {
  const box = el("input", { type: "number", value: "1", step: "1", "aria-label": "priority" });
  const field = el("label", { class: "field" }, "priority (higher goes first, 0 is usual)", box);
  const wish = () => ({ ...wishFor(sweep, "prioritise", job), priority: Number.parseInt(box.value, 10) || 0 });
  confirm({ title: "Priority", text: `Which priority shall ${job} have?`, wish, field });
}

function wishFor(sweep, action, run) {
  return { sweep, action, run, priority: null };
}

function confirm({ title, text, wish, field = null }) {
  const act = async () => {
    dialog.close();
    try {
      note((await changeQueue(wish())).done);
    } catch (problem) {
      note(`Not done: ${problem.message}`);
    }
  };
  const back = el("button", { type: "button", on: { click: () => dialog.close() } }, "Back");
  const go = el("button", { type: "button", class: "primary", on: { click: act } }, title);
  const dialog = el("dialog", { class: "dialog", "aria-label": title, on: { close: () => dialog.remove() } });
  dialog.append(el("h2", {}, title), el("p", {}, text), field ?? "", el("div", { class: "end" }, back, go));
  document.body.append(dialog);
  dialog.showModal();
}
