// What became of a step's rows, a cell for each minute: a person sees at a glance when something was lost.

import { html } from "../html.js";
import { exact, stamp } from "../words.js";

const MINUTE_MS = 60_000;
const CELLS = 60;

/** The minutes that these strips show, so that one stands above the other. @param {any[]} steps */
export function minutesOf(steps) {
  const newest = Math.max(...steps.flatMap((step) => step.minutes.slice(-1).map((minute) => minute.minuteMs)));
  if (!Number.isFinite(newest)) return [];
  return Array.from({ length: CELLS }, (_, index) => newest - (CELLS - 1 - index) * MINUTE_MS);
}

/** @param {{ step: any, points: any[], minutes: number[] }} props */
export function Strip({ step, points, minutes }) {
  const known = new Map(step.minutes.map((minute) => [minute.minuteMs, minute]));
  const lost = new Map();
  for (const point of points)
    for (const minute of point.minutes) lost.set(minute.minuteMs, (lost.get(minute.minuteMs) || 0) + minute.lost);
  const rows = step.minutes.reduce((sum, minute) => sum + minute.rowsIn, 0);
  const gone = [...lost.values()].reduce((sum, one) => sum + one, 0);
  const label = `${step.name}: ${exact(rows)} rows in, ${exact(gone)} missing, in the last ${CELLS} minutes`;
  return html`<div class="strip-of-minutes" role="img" aria-label=${label}>
    ${minutes.map((at) => html`<${Cell} key=${at} at=${at} minute=${known.get(at)} lost=${lost.get(at) || 0} timed=${step.timed} />`)}
  </div>`;
}

function Cell({ at, minute, lost, timed }) {
  if (!minute && !lost) return html`<i></i>`;
  const { rowsIn, rowsOut, filtered, late, dead } = minute || { rowsIn: 0, rowsOut: 0, filtered: 0, late: 0, dead: 0 };
  const all = Math.max(1, rowsIn);
  const tone = lost ? "lost" : late + dead ? "dead" : "whole";
  const share = lost ? Math.abs(lost) / all : (late + dead) / all;
  // A trace is to be seen as well; ten of a hundred are as strong as all.
  const strength = tone === "whole" ? 0.45 : Math.min(1, 0.4 + 6 * share);
  const parts = [`${exact(rowsIn)} in`, `${exact(rowsOut)} out`, `${exact(filtered)} left out`, `${exact(late)} late`, `${exact(dead)} dead`];
  const tip = `${stamp(at).slice(0, 16)} UTC, by ${timed ? "event time" : "arrival"}: ${parts.join(", ")}, ${exact(lost)} missing.`;
  return html`<i class=${tone} style=${{ opacity: strength.toFixed(2) }} data-tip=${tip} data-minute=${at} data-in=${rowsIn}></i>`;
}
