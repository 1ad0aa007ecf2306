/** Which runs are shown, in which order, in which groups. Pure: rows in, rows out. */

const TERM = /^([\w.]+)(!=|<=|>=|=|<|>)(.*)$/;

/**
 * A test for rows out of what was typed: words that a run's name, id or device must hold, and `field=value`
 * (also != < > <= >=). All terms must hold.
 * @param {string} text - what was typed
 * @param {function(string): object|undefined} findColumn - a column by its name
 */
export function parseFilter(text, findColumn) {
  const tests = text
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map((term) => parseTerm(term, findColumn));
  return (row) => tests.every((test) => test(row));
}

/** The names of columns that a filter speaks of. */
export function namesInFilter(text) {
  return text
    .trim()
    .split(/\s+/)
    .map((term) => TERM.exec(term)?.[1])
    .filter(Boolean);
}

/** Rows in order of a column; rows without a value come last either way. */
export function sortRows(rows, column, descending) {
  const sign = descending ? -1 : 1;
  const keyed = rows.map((row) => [column.value(row), row]);
  keyed.sort(([a], [b]) => {
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
    return sign * compare(a, b);
  });
  return keyed.map(([, row]) => row);
}

/** Rows by a column's value, in the order in which values first come: [{key, value, rows}]. */
export function groupRows(rows, column) {
  const groups = new Map();
  for (const row of rows) {
    const value = column.value(row);
    const key = JSON.stringify(value ?? null);
    if (!groups.has(key)) groups.set(key, { key, value, rows: [] });
    groups.get(key).rows.push(row);
  }
  return [...groups.values()];
}

/** Mean and extremes of a number column over rows, or null where no row has a value. */
export function summarise(rows, column) {
  const values = rows.map((row) => column.value(row)).filter((value) => !missing(value));
  if (!values.length) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, least: Math.min(...values), most: Math.max(...values) };
}

function parseTerm(term, findColumn) {
  const [, name, sign, wanted] = TERM.exec(term) ?? [];
  const column = name && findColumn(name);
  if (!column) return (row) => holdsText(row, term.toLowerCase());
  return (row) => compares(column.value(row), sign, wanted);
}

function holdsText(row, text) {
  return [row.name, row.id, row.status, row.device].some((value) => value?.toLowerCase().includes(text));
}

function compares(value, sign, wanted) {
  const asText = typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
  const numbers = typeof value === "number" && wanted !== "" && !Number.isNaN(Number(wanted));
  const order = numbers ? value - Number(wanted) : compare(asText.toLowerCase(), wanted.toLowerCase());
  if (sign === "=") return order === 0;
  if (sign === "!=") return order !== 0;
  if (missing(value)) return false;
  return { "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0 }[sign];
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function missing(value) {
  return value === null || value === undefined;
}
