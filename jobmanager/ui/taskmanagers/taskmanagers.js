// Every task manager: its slots, its memory, who runs there, and whether it is heard.

import { html } from "../html.js";
import { route, toJob } from "../route.js";
import { TaskManager } from "./one.js";
import { bytes, exact, percent, since, spanText } from "../words.js";

/** @param {string} name */
const to = (name) => `#/taskmanagers/${encodeURIComponent(name)}`;

/** A task manager says something every second; after this it is late. */
const LATE_MS = 3_000;

/** @param {any} one */
export const silence = (one) => (one.silentMs > LATE_MS ? `not heard for ${spanText(one.silentMs)}` : "");

export function TaskManagers({ overview }) {
  const { cluster, nowMs } = overview;
  const members = cluster.taskManagers;
  const sum = (what) => members.reduce((total, one) => total + one[what], 0);
  return html`<main class="page" id="main">
    <section class="panel" aria-label="Task managers">
      <div class="filter"><h2>Task managers</h2>
        <span class="soft">${members.length} there, ${cluster.slots - cluster.slotsFree} of ${cluster.slots} slots in use,
          ${" "}${bytes(sum("rssBytes"))} of memory</span>
      </div>
      ${members.length ? html`<${Table} members=${members} now=${nowMs} />` : html`<p class="empty">No task manager is there. Start one: <code>weir taskmanager</code></p>`}
    </section>
    ${route.value.name ? html`<${TaskManager} key=${route.value.name} name=${route.value.name} />` : null}
    <section class="panel facts" aria-label="Job manager">
      <div class="filter"><h2>Job manager</h2></div>
      <dl>
        <dt data-tip="Each leader of the state folder has a term of its own.">Term</dt><dd data-testid="term">${exact(cluster.term)}</dd>
        <dt data-tip="What was built; the same in every process of the cluster.">Build</dt><dd>${cluster.build}</dd>
        <dt data-tip="Where documents, checkpoints and savepoints lie.">State</dt><dd>${cluster.state}</dd>
        <dt>Metrics</dt><dd><a href="/metrics">/metrics</a></dd>
        <dt>Interface</dt><dd><a href="/v1/openapi.json">OpenAPI document</a></dd>
      </dl>
    </section>
  </main>`;
}

const HEADS = [
  ["Name", ""],
  ["Heard", "How long ago it last said something; it does so every second."],
  ["Slots", "Those that a job holds, of all it has. A slot is room for one subtask of each vertex of a job."],
  ["Memory", "Resident memory of the process, and the budget for what flows, waits and is remembered."],
  ["CPU", "Processors that all threads of the process keep busy, over the last second or two."],
  ["Threads", "Threads of the process: one for each subtask, and some that do its input and output."],
  ["Jobs", "The jobs that hold slots here."],
  ["Up", "Since it registered with this job manager."],
  ["Data", "Where other task managers reach it."],
  ["Metrics", "Where Prometheus finds its metrics."],
];

function Table({ members, now }) {
  return html`<div class="scroll"><table class="list">
    <thead><tr>${HEADS.map(([name, tip], index) => html`<th key=${name} scope="col" class=${index === 0 ? "first" : ""} data-tip=${tip || undefined}>${name}</th>`)}</tr></thead>
    <tbody>${members.map((one) => html`<${Member} key=${one.name} one=${one} now=${now} />`)}</tbody>
  </table></div>`;
}

function Member({ one, now }) {
  const used = one.slots - one.slotsFree;
  const share = one.memoryBytes ? one.rssBytes / one.memoryBytes : 0;
  const late = silence(one);
  return html`<tr data-testid="member" data-tone=${late ? "bad" : "good"}>
    <th scope="row" class="first" data-testid="name"><a href=${to(one.name)} aria-current=${route.value.name === one.name ? "true" : undefined}>${one.name}</a></th>
    <td>${late ? html`<span class="state" data-tone="bad"><i></i>${late}</span>` : html`<span class="state" data-tone="good"><i></i>heard</span>`}</td>
    <td data-testid="slots"><span class="pair"><span class="meter"><i style=${{ width: `${(used / one.slots) * 100}%` }}></i></span>${used} of ${one.slots}</span></td>
    <td><span class="pair"><span class="meter" data-hot=${share > 0.9}><i style=${{ width: `${Math.min(100, share * 100)}%` }}></i></span>
      ${bytes(one.rssBytes)} <span class="soft">of ${bytes(one.memoryBytes)}, ${percent(share)}</span></span></td>
    <td data-testid="cpu">${one.cpuCores === null ? html`<span class="faint">–</span>` : html`${one.cpuCores.toFixed(2)} <span class="unit">cores</span>`}</td>
    <td>${exact(one.threads)}</td>
    <td class="jobs">${one.jobs.length ? one.jobs.map((job) => html`<a key=${job} href=${toJob(job.split("@")[0])}>${job.split("@")[0]}</a>`) : html`<span class="faint">none</span>`}</td>
    <td class="soft">${since(one.sinceMs, now)}</td>
    <td><code>${one.dataAddress}</code></td>
    <td><code>${one.metricsAddress || "–"}</code></td>
  </tr>`;
}
