// What would come of a text: what is done, what becomes of the state of each step, and as what it would run.

import { html } from "../html.js";
import { ticked } from "../parts/ticked.js";
import { exact } from "../words.js";
import { Difference } from "./difference.js";

/** What would be done, and the button that does it. @type {Record<string, [string, string]>} */
const PROSPECTS = {
  starts: ["It begins: nothing of its name is known.", "Submit"],
  resumes: ["It goes on where it was, as this document says.", "Submit"],
  changes: ["It runs, and is changed: it takes a checkpoint, and goes on from there as this document says.", "Apply"],
  unchanged: ["It runs as this document says: there is nothing to do.", ""],
  stops: ["It runs, and is stopped, as desiredState says; its state is kept.", "Apply"],
  off: ["It is kept, and stays off, as desiredState says.", "Submit"],
  finished: ["It has finished. Started anew, it begins with nothing; what it has written stays.", "Start anew"],
};

/** @param {any} one */
export const prospectOf = (one) => PROSPECTS[one.prospect] || PROSPECTS.changes;

/** How the state of a step fares: tone, word, meaning. @type {Record<string, [string, string, string]>} */
const FATES = {
  keeps: ["good", "keeps", "Its state is read as it is."],
  migrates: ["wait", "migrates", "Its state is read, and brought to a new form."],
  startsEmpty: ["over", "starts empty", "The step is new, and begins with nothing."],
  drops: ["bad", "drops", "The step is gone, and its state with it."],
  refused: ["bad", "refused", "Its state would be read as something else."],
};

/** @param {{ fate: string }} props */
export function Fate({ fate }) {
  const [tone, word, tip] = FATES[fate] || FATES.refused;
  return html`<span class="state" data-tone=${tone} data-tip=${tip}><i></i>${word}</span>`;
}

/** @param {{ verdicts: any[] }} props */
export function Verdicts({ verdicts }) {
  if (!verdicts.length) return html`<p class="soft pad">No step of it keeps anything.</p>`;
  if (verdicts.every((one) => one.state === "startsEmpty")) {
    const names = verdicts.map((one) => one.step).join(", ");
    return html`<p class="soft pad" data-testid="all-new">What keeps something begins empty: ${names}.</p>`;
  }
  return html`<table class="list verdicts"><thead><tr><th scope="col" class="first">Step</th><th scope="col">State</th></tr></thead>
    <tbody>${verdicts.map(
      (one) => html`<tr key=${one.step} data-testid="verdict"><th scope="row" class="first">${one.step} <span class="soft">${one.operator.replace(/_/g, " ")}</span>
        ${one.renamedFrom ? html`<small>was ${one.renamedFrom}</small>` : null}</th>
      <td><${Fate} fate=${one.state} />${one.because.map((why, index) => html`<small key=${index}>${ticked(why)}</small>`)}</td></tr>`,
    )}</tbody></table>`;
}

/** The verdicts in a line: how many of each. @param {any[]} verdicts @returns {[string, number][]} */
export function tally(verdicts) {
  const order = ["refused", "drops", "migrates", "startsEmpty", "keeps"];
  /** @type {[string, number][]} */
  const counted = order.map((fate) => [fate, verdicts.filter((one) => one.state === fate).length]);
  return counted.filter(([, many]) => many);
}

/** @param {{ one: any }} props */
export function Prospect({ one }) {
  const [sentence] = prospectOf(one);
  return html`<section class="prospect" aria-label=${one.name} data-testid="prospect" data-prospect=${one.prospect}>
    <h3><b>${one.name}</b>${one.version ? html` <span class="soft" data-tip="The version of its document that is in force.">version ${exact(one.version)} is in force</span>` : null}</h3>
    <p>${sentence}</p>
    <${Verdicts} verdicts=${one.verdicts} />
    <h3>Runs as</h3>
    <${Chains} one=${one} />
    ${one.difference ? html`<details open=${one.difference.hunks.length < 8}><summary>Differs from what is in force: <${Sums} of=${one.difference} /></summary><${Difference} difference=${one.difference} /></details>` : null}
    <details><summary>The plan in words</summary><pre class="plan">${one.plan}</pre></details>
  </section>`;
}

/** @param {{ of: any }} props */
export const Sums = ({ of }) =>
  html`<span class="sums"><span class="added">+${exact(of.added)}</span> <span class="removed">−${exact(of.removed)}</span></span>`;

/** The vertices, each with its steps, and who gets its rows. */
function Chains({ one }) {
  const named = new Map(one.vertices.map((vertex) => [vertex.id, vertex]));
  const first = (id) => named.get(id)?.steps[0]?.name || id;
  return html`<ol class="chains">${one.vertices.map((vertex) => {
    const out = new Set(one.edges.filter((edge) => edge.from === vertex.id).map((edge) => `${edge.partition} to ${first(edge.to)}`));
    return html`<li key=${vertex.id}><span class="steps">${vertex.steps.map(
      (step, index) => html`${index ? html`<i aria-hidden="true">›</i>` : null}<span data-tip=${step.kind.replace(/_/g, " ")}>${step.name}</span>`,
    )}</span><span class="soft" data-tip="Its parallelism: how many subtasks it has.">×${vertex.parallelism}</span>
      ${[...out].map((words) => html`<small key=${words}>${words}</small>`)}</li>`;
  })}</ol>`;
}
