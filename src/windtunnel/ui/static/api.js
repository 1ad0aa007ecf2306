/** What the server is asked. */

/** An answer that says no: its text is the server's. */
class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/**
 * Ask for JSON.
 * @param {string} path - below /api/
 * @param {object} [parameters] - values, or lists of values for a parameter that is given several times
 */
export async function get(path, parameters = {}) {
  return answer(await fetch(address(path, parameters)));
}

/** Ask for a change of a sweep's queue; refused unless the server allows control. */
export async function changeQueue(wish) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish) };
  return answer(await fetch("/api/queue", request));
}

/** The address of something below /api/. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) query.append(name, one);
  }
  const text = query.toString();
  return `/api/${path}${text ? `?${text}` : ""}`;
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, body.error ?? `the server answered ${response.status}`);
  return body;
}
