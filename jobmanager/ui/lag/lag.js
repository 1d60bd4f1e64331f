// Lag and loss: how old rows were at each step, what became of them minute by minute, and what is missing.

import { html, useEffect, useState } from "../html.js";
import { Chart } from "../job/charts.js";
import { path, read } from "../rest.js";
import { ago, count, exact, spanText } from "../words.js";
import { Strip, minutesOf } from "./strip.js";

/** As often as the job manager keeps a line. */
const PERIOD_MS = 2_000;
/** Minutes of the strips. */
const MINUTES = 60;
/** Steps with strips and charts; a graph of hundreds is read by REST. */
const STEPS_MAX = 60;

const LINES = [
  ["p50", "--busy", "p50Ms"],
  ["p95", "--pressed", "p95Ms"],
  ["p99", "--bad", "p99Ms"],
];

const TIPS = {
  came: "Age of rows when they come to the step: the clock less the row's time. Half, 95 and 99 of a hundred were no older, over the last two seconds. Eight rows of each batch are looked at; a figure is within a sixteenth.",
  left: "Age of rows when they leave the step, measured in the same way. At a sink: when they were handed to its writer, from end to end.",
  took: "How long the step took: the middle age when rows left it less that when they came.",
  missing:
    "Rows of which nobody says what became of them, at the cut of the newest checkpoint, where nothing is on its way: in the step, and on the way to it.",
  strip:
    "One cell for each minute of event time, the newest on the right; of arrival where rows carry no time. Red: rows are missing. Amber: late or dead. The stronger, the more.",
};

/** @param {{ name: string, over: boolean }} props */
export function Lag({ name, over }) {
  const [lag, setLag] = useState(null);
  const [chosen, choose] = useState(null);
  useEffect(() => {
    let gone = false;
    let timer = 0;
    const again = async () => {
      if (!document.hidden) {
        // Whether the job manager answers is said at the top of the page.
        const told = await read(`${path(name)}/lag?minutes=${MINUTES}`).catch(() => null);
        if (gone) return;
        if (told) setLag(told);
      }
      if (!gone && !over) timer = setTimeout(again, PERIOD_MS);
    };
    again();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [name, over]);
  if (!lag || !lag.steps.length) return null;
  const aged = lag.steps.filter((step) => step.ages);
  const sinks = aged.filter((step) => step.kind === "sink");
  const step = aged.find((one) => one.name === chosen) || sinks[0] || aged[aged.length - 1];
  return html`<section class="panel lag" aria-label="Lag and loss" data-testid="lag">
      <${Head} lag=${lag} />
      <${Table} lag=${lag} open=${step?.name} choose=${choose} />
    </section>
    ${
      step
        ? html`<div class="charts two">
      <${Ages} title=${`Lag in · ${step.name}`} tip=${TIPS.came} times=${lag.atMs} ages=${step.ages.came} />
      <${Ages} title=${`Lag out · ${step.name}`} tip=${TIPS.left} times=${lag.atMs} ages=${step.ages.left} />
    </div>`
        : null
    }`;
}

function Head({ lag }) {
  const { loss, nowMs } = lag;
  const alarms = loss.points.filter((point) => point.alarm);
  const words = alarms.length
    ? html`<b data-warn="true">${exact(alarms.length)} ${alarms.length === 1 ? "point loses" : "points lose"} rows</b>`
    : loss.points.length
      ? html`<b>${exact(loss.points.length)} ${loss.points.length === 1 ? "point differs" : "points differ"}, below the alarm</b>`
      : html`<b>nothing is missing</b>`;
  const tip = `Compared at the cut of checkpoint #${loss.epoch}. An alarm is raised above ${loss.alarmShare * 100} % of a minute's rows, ${spanText(loss.settleMs)} after the minute is over.`;
  return html`<div class="filter"><h2>Lag and loss</h2>
    <span class="soft" data-tip=${tip} data-testid="loss-words">${words} at #${exact(loss.epoch)}, ${ago(loss.atMs, nowMs)}${loss.overtaken ? ", the newest whose barrier overtook nothing" : ""}</span>
    <span class="room"></span>
    <span class="legend soft" aria-hidden="true"><i class="whole"></i>all accounted for <i class="dead"></i>late or dead <i class="lost"></i>missing</span></div>`;
}

function Table({ lag, open, choose }) {
  // Steps before the event time is known count by arrival: of a replay those are other years.
  const minutes = { true: minutesOf(lag.steps.filter((one) => one.timed)), false: minutesOf(lag.steps.filter((one) => !one.timed)) };
  return html`<div class="scroll"><table class="list lags">
    <thead><tr><th class="first" scope="col">Step</th>
      <th class="number" scope="col" data-tip=${TIPS.came}>Lag in p50 · p95 · p99</th>
      <th class="number" scope="col" data-tip=${TIPS.left}>Lag out p50 · p95 · p99</th>
      <th class="number" scope="col" data-tip=${TIPS.took}>Took</th>
      <th class="number" scope="col" data-tip=${TIPS.missing}>Missing</th>
      <th scope="col" data-tip=${TIPS.strip}>Last ${MINUTES} minutes</th></tr></thead>
    <tbody>${lag.steps.slice(0, STEPS_MAX).map(
      (step) => html`<${Row} key=${step.name} step=${step} points=${lag.loss.points.filter((point) => point.step === step.name)} minutes=${minutes[String(step.timed)]}
      open=${open === step.name} choose=${choose} />`,
    )}</tbody>
  </table></div>`;
}

/** The last value of a column that is one. @param {(number | null)[] | undefined} column */
const last = (column) => (column ? (column.findLast((one) => one !== null) ?? null) : null);

function Row({ step, points, minutes, open, choose }) {
  const missing = points.reduce((sum, point) => sum + point.lost, 0);
  const alarm = points.some((point) => point.alarm);
  const [came, left] = [last(step.ages?.came.p50Ms), last(step.ages?.left.p50Ms)];
  // What gives rows their time has arrivals before it and event times behind it: two ages that do not compare.
  const took = came === null || left === null || step.kind === "event_time" ? null : Math.max(0, left - came);
  const three = (ages) =>
    ages ? LINES.map(([, , column]) => spanText(last(ages[column]))).join(" · ") : html`<span class="faint">–</span>`;
  return html`<tr data-testid="lag-step" data-step=${step.name} aria-current=${open ? "true" : undefined}>
    <th scope="row" class="first">${
      step.ages
        ? html`<button class="plain" onClick=${() => choose(step.name)} data-tip="Show its lag over time">${step.name}</button>`
        : step.name
    }</th>
    <td class="number">${three(step.ages?.came)}</td>
    <td class="number">${three(step.ages?.left)}</td>
    <td class="number">${took === null ? html`<span class="faint">–</span>` : spanText(took)}</td>
    <td class="number" data-warn=${alarm} data-testid="missing" title=${exact(missing)}>${missing ? count(missing) : html`<span class="faint">0</span>`}</td>
    <td class="strips"><${Strip} step=${step} points=${points} minutes=${minutes} /></td>
  </tr>`;
}

function Ages({ title, tip, times, ages }) {
  return html`<${Chart} title=${title} tip=${tip} times=${times.map((ms) => ms / 1000)} marks=${[]} show=${spanText}
    lines=${LINES.map(([label, tone, column]) => [label, tone, ages[column].slice(-times.length)])} />`;
}
