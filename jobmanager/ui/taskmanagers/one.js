// One task manager: who sits in its slots, who holds its memory, and what it has said.

import { html, useEffect, useState } from "../html.js";
import { read } from "../rest.js";
import { toJob } from "../route.js";
import { Load } from "../parts/load.js";
import { bytes, clock, exact, percent } from "../words.js";

const PERIOD_MS = 2_000;

/** Who holds memory. @type {[string, string, string][]} */
const HOLDERS = [
  ["networkBytes", "network", "Rows on their way: channels and outputs."],
  ["stateBytes", "state", "Tables, what is cut and not written yet, caches of what was spilled."],
  ["sinkBytes", "sinks", "The queues before sinks."],
  ["readerBytes", "readers", "What readers have read ahead."],
  ["chainBytes", "chains", "The batches that operators work on."],
];

/** What is asked for again and again, while somebody looks. @param {string} url */
function useFresh(url) {
  const [known, setKnown] = useState({ value: null, problem: null });
  useEffect(() => {
    let timer = 0;
    let gone = false;
    const ask = async () => {
      try {
        const value = document.hidden ? null : await read(url);
        if (!gone && value) setKnown({ value, problem: null });
      } catch (problem) {
        if (!gone) setKnown({ value: null, problem });
      }
      if (!gone) timer = setTimeout(ask, PERIOD_MS);
    };
    ask();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [url]);
  return known;
}

/** @param {{ name: string }} props */
export function TaskManager({ name }) {
  const url = `/v1/cluster/taskmanagers/${encodeURIComponent(name)}`;
  const { value: seated, problem } = useFresh(url);
  const { value: lines } = useFresh(`${url}/logs?limit=300`);
  if (problem) return html`<section class="panel"><p class="empty">${problem.message}</p></section>`;
  if (!seated) return html`<section class="panel"><p class="empty">Asking …</p></section>`;
  return html`<${Memory} one=${seated.taskManager} />
    <${Slots} one=${seated.taskManager} taken=${seated.taken} />
    <${Said} name=${name} lines=${lines || []} />`;
}

function Memory({ one }) {
  const sum = (key) => one.memory.reduce((total, job) => total + job[key], 0);
  const held = HOLDERS.map(([key, word, tip], index) => ({ word, tip, index, bytes: sum(key) }));
  const given = held.reduce((total, part) => total + part.bytes, 0);
  const whole = Math.max(one.memoryBytes, given, 1);
  const width = (part) => ({ width: `${((part / whole) * 100).toFixed(2)}%` });
  return html`<section class="panel" aria-label="Memory">
    <div class="filter"><h2>Memory of ${one.name}</h2>
      <span class="soft" data-tip="What jobs may hold of the budget; what nobody has is free for the next.">${bytes(given)} of ${bytes(one.memoryBytes)} given out</span>
      <span class="soft" data-tip="Resident memory of the process; it needs some beside its budget.">${bytes(one.rssBytes)} resident</span>
      <span class="soft" data-tip="What tables of keys hold of their budget now, and the cache of what was spilled to disk.">${bytes(one.tablesBytes)} in tables, ${bytes(one.cacheBytes)} in caches</span></div>
    <div class="bar-of-parts" role="img" aria-label=${held.map((part) => `${part.word} ${bytes(part.bytes)}`).join(", ")}>
      ${held.map((part) => html`<i key=${part.word} data-part=${part.index} style=${width(part.bytes)}></i>`)}</div>
    <div class="parts">${held.map((part) => html`<span key=${part.word} data-tip=${part.tip} data-testid="memory-part"><i data-part=${part.index}></i>${part.word} <b>${bytes(part.bytes)}</b></span>`)}
      <span data-tip="No job has it."><i></i>free <b>${bytes(Math.max(0, one.memoryBytes - given))}</b></span></div>
    ${
      one.memory.length
        ? html`<div class="scroll"><table class="list"><thead><tr><th scope="col" class="first">Job</th>${HOLDERS.map(([key, word, tip]) => html`<th key=${key} scope="col" class="number" data-tip=${tip}>${word}</th>`)}<th scope="col" class="number">all</th></tr></thead>
      <tbody>${one.memory.map((job) => html`<tr key=${job.job}><th scope="row" class="first"><a href=${toJob(job.job.split("@")[0])}>${job.job}</a></th>
        ${HOLDERS.map(([key]) => html`<td key=${key} class="number">${job[key] ? bytes(job[key]) : html`<span class="faint">0</span>`}</td>`)}
        <td class="number">${bytes(HOLDERS.reduce((total, [key]) => total + job[key], 0))}</td></tr>`)}</tbody></table></div>`
        : null
    }</section>`;
}

function Slots({ one, taken }) {
  const free = Math.max(0, one.slots - taken.length);
  return html`<section class="panel" aria-label="Slots"><div class="filter"><h2>Slots</h2>
      <span class="soft" data-tip="A slot is room for one subtask of each vertex of a job.">${taken.length} of ${one.slots} taken</span></div>
    <ol class="slots">${taken.map(
      (slot, index) => html`<li key=${index} data-testid="slot"><h3><a href=${toJob(slot.job.split("@")[0])}>${slot.job}</a></h3>
        <ul>${slot.subtasks.map(
          ({ vertex, subtask }) => html`<li key=${subtask.id} data-testid="sitting"><span class="name"><b title=${vertex}>${vertex.split(" -> ")[0]}</b><code>${subtask.id}</code><span class="room"></span><span class="soft">${subtask.state === "running" ? percent(subtask.busy) : subtask.state}</span></span>
          <${Load} busy=${subtask.busy} backpressured=${subtask.backpressured} /></li>`,
        )}</ul></li>`,
    )}
    ${free ? html`<li class="free">${exact(free)} free</li>` : null}</ol></section>`;
}

function Said({ name, lines }) {
  return html`<section class="panel" aria-label="Log"><div class="filter"><h2>Log</h2><span class="soft" data-tip="What it has said about datastreams; what else its process says is on its standard error.">the last ${lines.length} lines of ${name}</span></div>
    <div class="log" tabindex="0" role="log" aria-label=${`Log of ${name}`}>${
      lines.length
        ? lines.map(
            ({ datastream, line }) => html`<p key=${`${datastream} ${line.number}`} data-tone=${{ ERROR: "bad", WARN: "warn" }[line.level] || ""} data-testid="line"><time data-tip=${new Date(line.atMs).toLocaleString()}>${clock(line.atMs)}</time>
            <span class="level">${line.level}</span><span class="origin" title=${datastream}>${datastream}</span><span>${line.subtask ? `${line.subtask} ` : ""}${line.text}</span></p>`,
          )
        : html`<p class="empty">It has said nothing yet.</p>`
    }</div></section>`;
}
