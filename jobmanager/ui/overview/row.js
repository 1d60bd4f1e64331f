// One datastream in the list, in one line; below it what is wrong, if anything.

import { html, useMemo } from "../html.js";
import { toJob } from "../route.js";
import { isOver, State, toneOf } from "../parts/state.js";
import { Spark } from "../parts/spark.js";
import { ago, bytes, count, exact, percent, rate, span, spanText } from "../words.js";

/**
 * A row is made anew where something in it has changed, and not because a second is over: there may be hundreds.
 * @param {{ one: any, now: number, past: number[] }} props
 */
export function Row({ one, now, past }) {
  const over = isOver(one.state);
  const ages = !over && (one.watermarkMs !== null || one.lastCheckpoint);
  // A line of nothing looks the same however long it is.
  const drawn = !over && past.some((value) => value > 0) ? past.join() : "";
  return useMemo(() => html`<${Line} one=${one} now=${now} past=${past} />`, [JSON.stringify(one), drawn, ages ? now : 0]);
}

function Line({ one, now, past }) {
  const { progress, lastCheckpoint, missing, restarts } = one;
  const over = isOver(one.state);
  const freshness = one.watermarkMs === null || over ? null : now - one.watermarkMs;
  const tone = toneOf(one.state);
  return html`<tr data-tone=${tone} data-testid="row">
    <td class="first"><${State} state=${one.state} /></td>
    <th scope="row">
      <a href=${toJob(one.name)} data-testid="name">${one.name}</a>
      ${one.reason && tone !== "over" ? html`<span class="reason" title=${one.reason}>${one.reason}</span>` : null}
    </th>
    <td class="soft owner" title=${one.contact || ""}>${one.contact || "–"}</td>
    <td class="number" data-tip=${`${exact(progress.rowsIn)} rows from its sources in this life, over all restarts.`}>
      ${over ? html`<span class="soft">${count(progress.rowsIn)} rows</span>` : rate(progress.rowsInRate)}
    </td>
    <td class="line">${over ? null : html`<${Spark} values=${past} label="Rows in, the last minute" />`}</td>
    <td class="number" data-tip=${`${exact(progress.rowsOut)} rows handed to its sinks in this life, over all restarts.`}>
      ${over ? html`<span class="soft">${count(progress.rowsOut)} rows</span>` : rate(progress.rowsOutRate)}
    </td>
    <td class="number"><${Progress} progress=${progress} freshness=${freshness} over=${over} /></td>
    <td class="number backlog" data-tip=${backlogTip(one)} data-testid="backlog">${over ? html`<span class="faint">–</span>` : bytes(backlog(one))}</td>
    <td class="number checkpoint" data-tip=${checkpointTip(lastCheckpoint)}>
      ${one.epoch ? html`<span class="soft">#${exact(one.epoch)}</span> ` : null}
      ${lastCheckpoint && !over ? ago(lastCheckpoint.triggeredMs, now) : one.epoch ? "" : "–"}
    </td>
    <td class="number" data-warn=${progress.deadLetters > 0} data-tip="Records that went to the dead letters, in this life.">
      ${progress.deadLetters ? count(progress.deadLetters) : html`<span class="faint">0</span>`}
    </td>
    <td class="number" data-testid="missing" data-warn=${Boolean(missing && missing.alarm)} data-tip="Rows of which nothing is known: they came in, did not leave, and nobody left them out. Counted at its newest checkpoint; orange where it is more than lossAlarm of its document lets pass.">
      ${missing ? (missing.rows ? count(missing.rows) : html`<span class="faint">0</span>`) : html`<span class="faint">–</span>`}
    </td>
    <td class="number" data-warn=${restarts > 0} data-tip="Restarts after failures since this job manager took the datastream.">
      ${restarts ? exact(restarts) : html`<span class="faint">0</span>`}
    </td>
  </tr>`;
}

function Progress({ progress, freshness, over }) {
  if (freshness !== null) {
    const { digits, unit } = span(freshness);
    const tip = "Now minus the lowest event time that its sinks have come to.";
    return html`<span data-tip=${tip}>${digits} <span class="unit">${unit}</span></span>`;
  }
  if (progress.share !== null && !over) {
    return html`<span data-tip="How much of its bounded input has been read, in bytes.">${percent(progress.share)} read</span>`;
  }
  return html`<span class="faint" data-tip="It has no event time, so that nobody can say how old its rows are.">–</span>`;
}

const checkpointTip = (last) =>
  last
    ? `Its last checkpoint took ${spanText(last.durationMs)} from the trigger to the last commit.`
    : "No checkpoint since this job manager took it.";

/** Input that is still to be read, where that is known, and rows on their way. @param {any} one */
export const backlog = ({ progress, backlogBytes }) => Math.max(0, (progress.bytesTotal ?? progress.bytesRead) - progress.bytesRead) + backlogBytes;

const backlogTip = (one) =>
  `${one.progress.bytesTotal === null ? "How much input there is nobody knows" : `${bytes(backlog(one) - one.backlogBytes)} of input to be read`}; ${bytes(one.backlogBytes)} of rows wait to be sent from subtask to subtask.`;
