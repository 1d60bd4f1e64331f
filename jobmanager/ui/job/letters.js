// Records that a step could not take: how many, and the first of them with the reason.

import { html } from "../html.js";
import { ticked } from "../parts/ticked.js";
import { exact } from "../words.js";

/** @param {{ letters: any[] }} props */
export function DeadLetters({ letters }) {
  if (!letters.length) return html`<p class="empty">No record has gone to the dead letters since the last start.</p>`;
  return html`<ul class="happened">${letters.map(
    (one) => html`<li key=${one.step}>
    <p class="what"><b>${one.step}</b> <span data-warn="true">${exact(one.count)} records</span> <span class="soft">since the last start; the first of them:</span></p>
    ${one.samples.map((sample, index) => html`<${Sample} key=${index} sample=${sample} />`)}
  </li>`,
  )}</ul>`;
}

/** Where it lay, why it was refused, and the record itself: as the task manager says it. */
function Sample({ sample }) {
  const record = sample.indexOf(": {") > 0 ? sample.indexOf(": {") : -1;
  if (record < 0) return html`<p class="sample"><span>${ticked(sample)}</span></p>`;
  return html`<p class="sample"><span>${ticked(sample.slice(0, record))}</span><code>${sample.slice(record + 2)}</code></p>`;
}
