// The task managers in short: who is there, how full, how much memory.

import { html } from "../html.js";
import { bytes, exact, percent } from "../words.js";
import { silence } from "../taskmanagers/taskmanagers.js";

/** Beyond so many the list is a view of its own. */
const SHOWN_MAX = 12;

/** @param {{ cluster: any }} props */
export function Cluster({ cluster }) {
  const members = cluster.taskManagers;
  return html`<section class="panel" aria-label="Cluster">
    <div class="filter"><h2>Cluster</h2>
      <span class="soft" data-tip="Each leader of the state folder has a term of its own; it grows when another job manager takes over.">
        leader of term ${exact(cluster.term)}</span>
      <span class="soft" data-tip="What was built; the same in every process.">build ${cluster.build}</span>
      <span class="room"></span><a href="#/taskmanagers">All about them</a>
    </div>
    ${
      members.length === 0
        ? html`<p class="empty">No task manager is there, so nothing runs: <code>weir taskmanager</code></p>`
        : html`<ul class="members">${members.slice(0, SHOWN_MAX).map((one) => html`<${Member} key=${one.name} one=${one} />`)}</ul>`
    }
  </section>`;
}

function Member({ one }) {
  const used = one.slots - one.slotsFree;
  const share = one.memoryBytes ? one.rssBytes / one.memoryBytes : 0;
  return html`<li data-late=${silence(one) !== ""}>
    <b><a href=${`#/taskmanagers/${encodeURIComponent(one.name)}`}>${one.name}</a></b>
    <span data-tip="Slots that a job holds, of all it has.">${used} of ${one.slots} slots</span>
    <span class="meter" role="img" aria-label=${`${used} of ${one.slots} slots used`}><i style=${{ width: `${(used / one.slots) * 100}%` }}></i></span>
    <span data-tip="Resident memory of the process. The share is of its budget, which is for what flows, waits and is remembered; the process needs some more.">
      ${bytes(one.rssBytes)} <span class="soft">${share ? `· ${percent(share)}` : ""}</span></span>
    <span data-tip="Processors that its process keeps busy, over the last second or two.">${one.cpuCores === null ? "–" : one.cpuCores.toFixed(2)} <span class="soft">cores</span></span>
  </li>`;
}
