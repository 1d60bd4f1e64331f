// What went wrong and what came of it; what somebody asked for and what came of that.

import { html } from "../html.js";
import { ticked } from "../parts/ticked.js";
import { ago, clock, exact, spanText } from "../words.js";

/** @param {{ exceptions: any[], now: number }} props */
export function Exceptions({ exceptions, now }) {
  if (!exceptions.length) return html`<p class="empty">Nothing has gone wrong.</p>`;
  return html`<ul class="happened">${exceptions.map(
    (one, index) => html`<li key=${`${one.atMs} ${index}`} data-testid="exception">
    <p class="what"><span class="state" data-tone=${one.recoveredMs === null ? "bad" : "over"}><i></i>${one.recoveredMs === null ? one.disposition : "recovered"}</span>
      <span data-tip=${new Date(one.atMs).toLocaleString()}>${clock(one.atMs)} <span class="soft">${ago(one.atMs, now)}</span></span>
      ${one.subtask ? html`<code>${one.subtask}</code>` : null}
      ${one.taskManager ? html`<span class="soft">on ${one.taskManager}</span>` : null}
      ${one.vertex ? html`<span class="soft cut" title=${one.vertex}>${one.vertex}</span>` : null}
      <span class="room"></span>
      <span class="soft" data-tip="The newest epoch then: nothing up to it was lost.">epoch ${exact(one.epoch)}</span></p>
    <p class="message">${ticked(one.message)}</p>
    ${one.help ? html`<p class="soft">${ticked(one.help)}</p>` : null}
    <p class="soft">→ ${one.answer}${one.recoveredMs === null ? "" : `; all ran again after ${spanText(one.recoveredMs)}`}</p>
  </li>`,
  )}</ul>`;
}

const OUTCOME = { underWay: ["wait", "under way"], done: ["good", "done"], failed: ["bad", "failed"] };

/** @param {{ operations: any[], now: number }} props */
export function Operations({ operations, now }) {
  if (!operations.length) return html`<p class="empty">Nobody has asked for anything since this job manager took it.</p>`;
  return html`<ul class="happened">${operations.map(
    (one) => html`<li key=${one.id} data-testid="operation">
    <p class="what"><span class="state" data-tone=${OUTCOME[one.state][0]}><i></i>${OUTCOME[one.state][1]}</span>
      <b>${one.what}</b> <code>${one.id}</code> <span class="soft">${clock(one.sinceMs)}, ${ago(one.sinceMs, now)}</span>
      <span class="room"></span>${one.tookMs === null ? null : html`<span class="soft">took ${spanText(one.tookMs)}</span>`}
      ${one.epoch === null ? null : html`<span class="soft">epoch ${exact(one.epoch)}</span>`}</p>
    ${one.result ? html`<p class="message"><code>${one.result}</code></p>` : null}
    ${one.reason ? html`<p class="told" data-tone="bad">${one.reason}${one.help ? html`<span>${one.help}</span>` : null}</p>` : null}
  </li>`,
  )}</ul>`;
}
