/** How a run's state is shown: a sign and a word, never a colour alone. */

import { el, setText } from "./dom.js";

const SIGNS = {
  running: "●",
  waiting: "○",
  finished: "✓",
  diverged: "↯",
  failed: "✕",
  pruned: "✂",
  interrupted: "‖",
  cancelled: "⊘",
  stopped: "■",
  paused: "‖",
  idle: "■",
};

/** The states a run can be in, those that need a look first. */
export const STATES = ["running", "failed", "diverged", "stopped", "interrupted", "cancelled", "pruned", "finished"];

/** The state of a sweep: one on which nobody works is finished when all its runs have ended, and else idle. */
export function sweepState(row) {
  return row.status === "idle" && row.total && endedOf(row) >= row.total ? "finished" : row.status;
}

/** How many runs of a sweep have come to an end. */
export function endedOf(row) {
  return Object.values(row.ended ?? {}).reduce((sum, count) => sum + count, 0);
}

/** A badge for a state. */
export function statusBadge(status) {
  return showStatus(el("span", { class: "status" }, el("i", { "aria-hidden": "true" }), el("span")), status);
}

/** Show another state in a badge. */
export function showStatus(badge, status) {
  badge.dataset.status = status;
  setText(badge.firstChild, SIGNS[status] ?? "•");
  setText(badge.lastChild, status);
  return badge;
}
