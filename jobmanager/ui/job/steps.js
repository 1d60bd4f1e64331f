// Every step in its order: what came in, what went out, what was lost on the way and why, and how far time has come.

import { html } from "../html.js";
import { count, exact, isTime, spanText, stamp } from "../words.js";

const HEADS = [
  ["Step", ""],
  ["Kind", ""],
  ["In", "Rows in since the last start, of all its subtasks."],
  ["Out", "Rows out since the last start, of all its subtasks."],
  ["Left out", "Rows that a filter or a sample left out, since the last start."],
  ["Late", "Rows that came after their window had closed, since the last start."],
  ["Dead", "Rows that went to the dead letters, since the last start."],
  ["Event time, UTC", "The lowest event time among its subtasks; windows fire by it."],
  ["Behind", "Now minus its event time."],
  ["Held by", "The subtask whose event time is furthest back, where others have come further."],
];

/** @param {{ datastream: any, now: number }} props */
export function Steps({ datastream, now }) {
  const { vertices, watermark } = datastream;
  if (!vertices.length) return html`<p class="empty">Nothing is known of its steps any more.</p>`;
  return html`<${Holder} holder=${watermark} now=${now} />
  <div class="scroll"><table class="list steps">
    <thead><tr>${HEADS.map(([name, tip], index) => html`<th key=${name} scope="col" class=${index === 0 ? "first" : index > 1 && index < 9 ? "number" : ""} data-tip=${tip || undefined}>${name}</th>`)}</tr></thead>
    ${vertices.map(
      (vertex) => html`<tbody key=${vertex.id}>
      ${vertex.steps.map((step, index) => html`<${Step} key=${step.name} step=${step} vertex=${index === 0 ? vertex : null} now=${now} />`)}</tbody>`,
    )}
  </table></div>`;
}

function Step({ step, vertex, now }) {
  const number = (value, warn) =>
    html`<td class="number" data-warn=${warn && value > 0} title=${exact(value)}>${value ? count(value) : html`<span class="faint">0</span>`}</td>`;
  const known = isTime(step.watermarkMs);
  return html`<tr data-testid="step">
    <th scope="row" class="first">${step.name}${vertex ? html`<code class="soft" title=${`${vertex.parallelism} subtasks`}>${vertex.id} ×${vertex.parallelism}</code>` : null}</th>
    <td class="soft">${step.kind.replace(/_/g, " ")}</td>
    ${number(step.recordsIn)}${number(step.recordsOut)}${number(step.dropped)}${number(step.late, true)}${number(step.dead, true)}
    <td class="number soft">${known ? stamp(step.watermarkMs).slice(0, 19) : step.watermarkMs === null ? "–" : "the end"}</td>
    <td class="number">${known ? spanText(Math.max(0, now - step.watermarkMs)) : html`<span class="faint">–</span>`}</td>
    <td>${step.heldBy ? html`<code>${step.heldBy}</code>` : html`<span class="faint">–</span>`}</td>
  </tr>`;
}

/** Who holds the watermark of the whole datastream. */
function Holder({ holder, now }) {
  if (!holder) return null;
  const where = holder.taskManager ? ` on ${holder.taskManager}` : "";
  if (holder.watermarkMs === null)
    return html`<p class="line">Event time begins at <b>${holder.step}</b>, where <code>${holder.subtask}</code>${where} has not said any yet.</p>`;
  if (!isTime(holder.watermarkMs)) return html`<p class="line">All its input has ended.</p>`;
  const ahead =
    holder.aheadMs > 0 ? html`, the others up to <b>${spanText(holder.aheadMs)}</b> ahead of it` : ", and nobody is ahead of it";
  return html`<p class="line" data-testid="holder">Event time is led by <b>${holder.step}</b>: furthest back is <code>${holder.subtask}</code>${where}
    ${" "}at <b>${stamp(holder.watermarkMs)}</b>, ${spanText(Math.max(0, now - holder.watermarkMs))} behind now${ahead}.</p>`;
}
