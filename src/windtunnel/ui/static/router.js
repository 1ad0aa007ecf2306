/** Views by the part of the address after "#", so that each can be linked. */

/** The address of a view: `link("run", {id: "a/b"})`. A list repeats its parameter; empty values are left out. */
export function link(view, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) {
      if (one !== "" && one !== null && one !== undefined) query.append(name, one);
    }
  }
  const text = query.toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** The view and parameters that the address names now. */
export function readAddress() {
  const [view, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: view || "runs", parameters: new URLSearchParams(query) };
}

/** Write a view's state into the address without leaving the view; nothing where another view has been opened. */
export function remember(view, parameters) {
  if (readAddress().view !== view) return;
  const wanted = link(view, parameters);
  if (location.hash !== wanted) history.replaceState(null, "", wanted);
}
