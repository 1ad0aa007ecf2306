/** What the server could not read in the runs folder, in a line that opens. */

import { el, fill, setText } from "./dom.js";
import { plural } from "./format.js";

const MOST_SHOWN = 50;

/** Show these texts under the head of the page; nothing when there are none. */
export function showProblems(problems) {
  const place = document.getElementById("problems");
  const told = JSON.stringify(problems);
  if (place.dataset.told === told) return;
  place.dataset.told = told;
  place.hidden = problems.length === 0;
  setText(place.querySelector("summary"), `${plural(problems.length, "thing")} in the runs folder cannot be read`);
  fill(place.querySelector("ul"), ...problems.slice(0, MOST_SHOWN).map((text) => el("li", {}, text)));
}
