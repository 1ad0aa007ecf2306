/** Numbers, durations and sizes for people. */

const MISSING = "–";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 0.9931 becomes "99.31%". */
export function percent(fraction, digits = 2) {
  return known(fraction) ? `${(fraction * 100).toFixed(digits)}%` : MISSING;
}

/** Four significant digits, with an exponent where zeros would fill the line. */
export function number(value) {
  if (!known(value)) return MISSING;
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return grouped(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** A count in short: 70122 becomes "70.1 k". */
export function count(value) {
  if (!known(value)) return MISSING;
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ]) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return String(value);
}

/** Seconds as "4.2 s", "2 min 05 s" or "1 h 02 min". */
export function duration(seconds) {
  if (!known(seconds)) return MISSING;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const pad = (value) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** Seconds of training to be held against others: hundredths, and whole seconds where there are many. */
export function trainingTime(seconds) {
  if (!known(seconds)) return MISSING;
  return `${seconds < 1000 ? seconds.toFixed(2) : grouped(Math.round(seconds))} s`;
}

/** Bytes as MiB or GiB. */
export function bytes(value) {
  if (!known(value)) return MISSING;
  const mebibytes = value / 2 ** 20;
  return mebibytes < 1024 ? `${mebibytes.toFixed(mebibytes < 10 ? 1 : 0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** Counted operations in units of 10^12: 2.375e14 becomes "238". */
export function tera(operations) {
  if (!known(operations)) return MISSING;
  const tera = operations / 1e12;
  return tera < 1000 ? String(Number(tera.toPrecision(3))) : grouped(Math.round(tera));
}

/** Seconds since 1970 as "22 Nov 12:03", in the reader's zone. */
export function shortMoment(seconds) {
  if (!known(seconds)) return MISSING;
  const date = new Date(seconds * 1000);
  const time = [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${time}`;
}

/** A metric by its name: accuracies and errors as percent, other numbers as they are. */
export function metric(name, value) {
  return /accuracy|error/.test(name) ? percent(value) : number(value);
}

/** A config value. */
export function value(any) {
  if (any === undefined || any === null) return MISSING;
  if (typeof any === "number") return number(any);
  return typeof any === "object" ? JSON.stringify(any) : String(any);
}

/** A config value with every digit, for seeds and where two values are held against each other. */
export function exact(any) {
  return typeof any === "number" ? String(any) : value(any);
}

/** "3 runs", "1 run". */
export function plural(amount, noun) {
  return `${grouped(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

/** A name of a metric in words: "val_accuracy" becomes "val accuracy". */
export function words(name) {
  return name.replaceAll("_", " ");
}

function grouped(whole) {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
}

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}
