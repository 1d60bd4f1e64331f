// Numbers as people read them: three digits that matter, a unit, no jumping widths.

const NONE = "–";

/**
 * A number with a prefix of thousands.
 * @param {number} value
 * @returns {[string, string]} the digits, and `k`, `M`, `G` or nothing
 */
function scaled(value) {
  const steps = ["", "k", "M", "G", "T", "P"];
  let step = 0;
  let size = Math.abs(value);
  while (size >= 999.5 && step < steps.length - 1) {
    size /= 1000;
    step += 1;
  }
  const digits = step === 0 && Number.isInteger(value) ? 0 : size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  const text = (value < 0 ? "-" : "") + size.toFixed(digits);
  return [text, steps[step]];
}

/** Digits and unit apart, so that a view can set them differently. @typedef {{ digits: string, unit: string }} Measure */

/** @param {number | null | undefined} value @param {string} unit @returns {Measure} */
export function measure(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return { digits: NONE, unit: "" };
  const [digits, prefix] = scaled(value);
  // `k/s`, `MB`, but `k rows`.
  return { digits, unit: [prefix, unit].filter(Boolean).join(/^[a-z]/.test(unit) ? " " : "") };
}

/** @param {Measure} measured */
export const joined = (measured) => (measured.unit ? `${measured.digits} ${measured.unit}` : measured.digits);

/** @param {number | null | undefined} value */
export const count = (value) => joined(measure(value, ""));
/** @param {number | null | undefined} value */
export const bytes = (value) => joined(measure(value, "B"));
/** @param {number | null | undefined} value */
export const rate = (value) => joined(measure(roundRate(value), "/s"));

/** Rates below a hundredth are nothing. @param {number | null | undefined} value */
export function roundRate(value) {
  if (value === null || value === undefined) return value;
  return value < 0.005 ? 0 : value >= 100 ? Math.round(value) : value;
}

/** Every digit, in groups. @param {number | null | undefined} value */
export const exact = (value) =>
  value === null || value === undefined
    ? NONE
    : Math.round(value)
        .toString()
        .replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");

/** @param {number | null | undefined} share from 0 to 1 */
export function percent(share) {
  if (share === null || share === undefined) return NONE;
  const value = share * 100;
  return `${value > 0 && value < 1 ? value.toPrecision(1) : Math.round(value)} %`;
}

/**
 * A time span with its two greatest units.
 * @param {number | null | undefined} ms
 * @returns {Measure}
 */
export function span(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return { digits: NONE, unit: "" };
  const sign = ms < 0 ? "-" : "";
  const size = Math.abs(ms);
  if (size < 1000) return { digits: sign + Math.round(size), unit: "ms" };
  if (size < 59_950) return { digits: sign + (size / 1000).toFixed(1), unit: "s" };
  /** @type {[string, number][]} */
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1000],
  ];
  const first = units.findIndex(([, length]) => size >= length);
  const [unit, length] = units[first];
  const whole = Math.floor(size / length);
  const next = units[first + 1];
  const rest = next ? Math.floor((size - whole * length) / next[1]) : 0;
  if (whole >= 100 || !rest) return { digits: sign + exact(whole), unit };
  return { digits: `${sign}${whole}`, unit: `${unit} ${rest} ${next[0]}` };
}

/** @param {number | null | undefined} ms */
export const spanText = (ms) => joined(span(ms));

/** For how long something is past, in whole seconds. @param {number | null | undefined} then @param {number} now */
export const ago = (then, now) =>
  then === null || then === undefined ? NONE : now - then < 1000 ? "now" : `${since(then, now)} ago`;

/** Whole seconds, for what is told again every second. @param {number} then @param {number} now */
export const since = (then, now) => {
  const ms = Math.max(0, now - then);
  return spanText(ms < 60_000 ? Math.floor(ms / 1000) * 1000 || 0 : ms)
    .replace(/\.0 s$/, " s")
    .replace(/^0 ms$/, "0 s");
};

const two = (value) => String(value).padStart(2, "0");

/** The time of day here. @param {number} ms */
export function clock(ms) {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Whether it is a time that a calendar has: the end of all input is none. @param {number | null | undefined} ms */
export const isTime = (ms) => ms !== null && ms !== undefined && Math.abs(ms) < 8.64e15;

/** Day and time, in UTC, as event time is given. @param {number | null | undefined} ms */
export const stamp = (ms) => (!isTime(ms) ? NONE : `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`);
