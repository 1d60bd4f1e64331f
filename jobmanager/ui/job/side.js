// Beside the graph: who works or waits most; or, of a vertex that was chosen, each of its subtasks.

import { html } from "../html.js";
import { Load } from "../parts/load.js";
import { percent, rate, spanText } from "../words.js";
import { title } from "./layout.js";

const RANKED = 12;
const SUBTASKS_SHOWN = 200;

/** @param {{ datastream: any, chosen: string | null, choose: (id: string | null) => void }} props */
export function Side({ datastream, chosen, choose }) {
  const vertex = datastream.vertices.find((one) => one.id === chosen);
  return vertex
    ? html`<${Chosen} vertex=${vertex} close=${() => choose(null)} />`
    : html`<${Ranked} datastream=${datastream} choose=${choose} />`;
}

/** What makes a subtask worth a look. @param {any} one */
const weight = (one) => Math.max(one.busy, one.backpressured * 1.01);

function Ranked({ datastream, choose }) {
  const all = datastream.vertices.flatMap((vertex) => vertex.subtasks.map((one) => ({ ...one, vertex })));
  const ranked = all.sort((one, other) => weight(other) - weight(one)).slice(0, RANKED);
  return html`<section class="panel side" aria-label="Where it works and waits">
    <div class="filter"><h2>Where it works and waits</h2></div>
    <ol class="ranked">${ranked.map(
      (one) => html`<li key=${one.id}><button class="row" onClick=${() => choose(one.vertex.id)}>
      <span class="name"><b>${title(one.vertex)}</b><code>${one.id}</code><span class="room"></span>
        <span>${one.busy >= one.backpressured ? html`${percent(one.busy)} <span class="soft">busy</span>` : html`${percent(one.backpressured)} <span class="soft">held up</span>`}</span></span>
      <${Load} busy=${one.busy} backpressured=${one.backpressured} />
      ${waits(one)}
    </button></li>`,
    )}</ol>
  </section>`;
}

/** What it waits for, where that says something: input is what everybody waits for who has nothing to do. @param {any} one */
const waits = (one) =>
  one.waitsFor && one.waitsFor !== "input" && one.waitsSeconds >= 0.1
    ? html`<span class="waits">waits for ${one.waitsFor}, ${spanText(one.waitsSeconds * 1000)}</span>`
    : null;

function Chosen({ vertex, close }) {
  const order = (one, other) => weight(other) - weight(one);
  const shown =
    vertex.subtasks.length > SUBTASKS_SHOWN ? [...vertex.subtasks].sort(order).slice(0, SUBTASKS_SHOWN) : vertex.subtasks;
  return html`<section class="panel side" aria-label="Subtasks" data-testid="subtasks">
    <div class="filter"><h2 title=${vertex.name}>${title(vertex)}</h2><span class="room"></span>
      <button class="quiet icon" onClick=${close} aria-label="Back to the ranking">✕</button></div>
    <ul class="subtasks">
      ${shown.map((one) => html`<${Subtask} key=${one.id} one=${one} />`)}
      ${shown.length < vertex.subtasks.length ? html`<li class="soft" key="rest">the ${shown.length} that work or wait most, of ${vertex.subtasks.length}</li>` : null}
    </ul>
  </section>`;
}

function Subtask({ one }) {
  const tone = ["failed", "lost"].includes(one.state)
    ? "bad"
    : ["running", "ended", "finished"].includes(one.state)
      ? "good"
      : "wait";
  return html`<li data-testid="subtask">
    <span class="name"><code>${one.id}</code><span class="soft">${one.taskManager || "nowhere"}</span>
      <span class="room"></span><span class="state" data-tone=${tone}><i></i>${one.state}</span></span>
    <${Load} busy=${one.busy} backpressured=${one.backpressured} />
    <span class="soft three"><span data-tip="Share of the last one to two seconds at work.">${percent(one.busy)} busy</span>
      <span data-tip="Share of the last one to two seconds held up by those behind it.">${percent(one.backpressured)} held up</span>
      <span data-tip="Rows a second in and out, over the last one to two seconds.">${rate(one.recordsInRate)} → ${rate(one.recordsOutRate)}</span></span>
    ${one.waitsFor && one.waitsFor !== "input" ? html`<span class="soft waits">waits for ${one.waitsFor}, ${spanText(one.waitsSeconds * 1000)}</span>` : null}
  </li>`;
}
