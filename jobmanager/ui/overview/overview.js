// Every datastream at a glance: what is wrong comes first, and is found in a second.

import { html, signal, useEffect, useRef } from "../html.js";
import { exact, measure } from "../words.js";
import { chosen, tally } from "./order.js";
import { Cluster } from "./cluster.js";
import { Row } from "./row.js";

/** What is filtered and sorted by; it stays while other views are looked at. */
const choice = signal({ text: "", tone: "all", by: "state", down: false, whole: false });
/** Rows in a second of the last minute, by job. @type {Map<string, number[]>} */
const past = new Map();
const KEPT = 60;
/** A list longer than this is cut, until somebody asks for all of it: those that need somebody come first anyway. */
const SHOWN_MAX = 150;

const TONES = [
  ["all", "All"],
  ["bad", "Failing"],
  ["wait", "Changing"],
  ["good", "Running"],
  ["over", "Over"],
];

const LATELY = "over the last one to two seconds";

const COLUMNS = [
  ["state", "State", ""],
  ["name", "Datastream", ""],
  ["contact", "Owner", "contactName of its document: who is to be asked about it."],
  ["in", "In", "Rows a second that its sources gave, over the last one to two seconds."],
  [null, "", ""],
  ["out", "Out", "Rows a second handed to its sinks, over the last one to two seconds."],
  [
    "freshness",
    "Freshness",
    "Now minus the lowest event time at its sinks; for bounded input without event time, how much has been read.",
  ],
  ["backlog", "Backlog", "Input still to be read, where that is known, and rows that wait to be sent from subtask to subtask."],
  ["checkpoint", "Checkpoint", "The newest epoch of its chain, and when its last checkpoint was triggered."],
  ["dead", "Dead letters", "Records that a step could not take, in this life."],
  ["missing", "Missing", "Rows that came in, did not leave, and that nobody left out; at the newest checkpoint."],
  ["restarts", "Restarts", "Restarts after failures since this job manager took the datastream."],
];

/** @param {any} overview */
function remember(overview) {
  for (const one of overview.datastreams) {
    const values = past.get(one.job) || [];
    values.push(one.progress.rowsInRate);
    past.set(one.job, values.slice(-KEPT));
  }
}

let remembered = 0;

export function Overview({ overview }) {
  if (overview.nowMs !== remembered) {
    remembered = overview.nowMs;
    remember(overview);
  }
  const all = overview.datastreams;
  const shown = chosen(all, choice.value);
  return html`<main class="page" id="main">
    <${Totals} overview=${overview} />
    <section class="panel" aria-label="Datastreams">
      <${Filter} counts=${tally(all)} />
      ${all.length === 0 ? html`<${Nothing} />` : html`<${Table} shown=${shown} now=${overview.nowMs} />`}
    </section>
    <${Cluster} cluster=${overview.cluster} />
  </main>`;
}

function Totals({ overview }) {
  const { datastreams, cluster } = overview;
  const sum = (what) => datastreams.reduce((total, one) => total + what(one), 0);
  const rate = (what, unit) => measure(Math.round(sum(what)), unit);
  const working = exact(sum((one) => one.subtasksRunning));
  const tiles = [
    {
      id: "in",
      name: "Rows in",
      value: rate((one) => one.progress.rowsInRate, "/s"),
      tip: `Rows a second from the sources of all datastreams, ${LATELY}.`,
    },
    {
      id: "out",
      name: "Rows out",
      value: rate((one) => one.progress.rowsOutRate, "/s"),
      tip: `Rows a second handed to the sinks of all datastreams, ${LATELY}.`,
    },
    {
      id: "bytes",
      name: "Input read",
      value: rate((one) => one.progress.bytesRate, "B/s"),
      tip: `Bytes of input a second, ${LATELY}.`,
    },
    {
      id: "dead",
      name: "Dead letters",
      value: measure(
        sum((one) => one.progress.deadLetters),
        "",
      ),
      tip: "Records that went to the dead letters, in the present lives of all datastreams.",
    },
    {
      id: "subtasks",
      name: "Subtasks",
      value: { digits: working, unit: `of ${exact(sum((one) => one.subtasks))}` },
      tip: "Subtasks at work, of all that the datastreams have.",
    },
    {
      id: "slots",
      name: "Slots in use",
      value: { digits: exact(cluster.slots - cluster.slotsFree), unit: `of ${exact(cluster.slots)}` },
      tip: "A slot is room for one subtask of each vertex of a job.",
    },
  ];
  return html`<section class="tiles" aria-label="The whole cluster">
    ${tiles.map(
      ({ id, name, value: { digits, unit }, tip }) => html`<div class="tile" data-tip=${tip} key=${id}>
      <h3>${name}</h3><p data-testid=${`total-${id}`}><b>${digits}</b> <span class="unit">${unit}</span></p>
    </div>`,
    )}
  </section>`;
}

function Filter({ counts }) {
  const input = useRef(null);
  const set = (change) => (choice.value = { ...choice.value, ...change });
  useEffect(() => {
    const heard = (event) => {
      const typing = event.target instanceof HTMLInputElement;
      if (event.key === "/" && !typing) {
        event.preventDefault();
        input.current?.focus();
      } else if (event.key === "Escape" && event.target === input.current) {
        set({ text: "" });
        input.current?.blur();
      }
    };
    addEventListener("keydown", heard);
    return () => removeEventListener("keydown", heard);
  }, []);
  const { text, tone } = choice.value;
  return html`<div class="filter">
    <h2>Datastreams</h2>
    <div class="chips" role="group" aria-label="By state">
      ${TONES.map(
        ([id, name]) => html`<button key=${id} class="chip" data-tone=${id} aria-pressed=${tone === id}
        disabled=${id !== "all" && !counts[id] && tone !== id} onClick=${() => set({ tone: id })} data-testid=${`tone-${id}`}>
        ${id === "all" ? null : html`<i></i>`}${name} <b>${counts[id]}</b></button>`,
      )}
    </div>
    <span class="room"></span>
    <label class="search"><span class="hidden">Filter by name, owner or state</span>
      <input ref=${input} type="search" placeholder="Filter by name, owner, state" value=${text}
        onInput=${(event) => set({ text: event.currentTarget.value })} data-testid="filter" />
      <kbd aria-hidden="true">/</kbd></label>
  </div>`;
}

function Table({ shown, now }) {
  const { by, down } = choice.value;
  const turn = (id) => (choice.value = { ...choice.value, by: id, down: by === id && !down });
  const cut = choice.value.whole ? shown : shown.slice(0, SHOWN_MAX);
  return html`<div class="scroll">
    <table class="list streams">
      <thead><tr>${COLUMNS.map(
        ([id, name, tip], index) => html`<th key=${index} scope="col"
        class=${index > 2 ? "number" : index === 0 ? "first" : ""}
        aria-sort=${by === id && id ? (down ? "descending" : "ascending") : undefined}>
        ${id ? html`<button onClick=${() => turn(id)} data-tip=${tip || undefined}>${name}</button>` : name}</th>`,
      )}</tr></thead>
      <tbody>${cut.map((one) => html`<${Row} key=${one.job} one=${one} now=${now} past=${past.get(one.job) || []} />`)}</tbody>
    </table>
    ${shown.length === 0 ? html`<p class="empty">No datastream fits. <button class="plain" onClick=${() => (choice.value = { ...choice.value, text: "", tone: "all" })}>Show all</button></p>` : null}
    ${
      shown.length > cut.length
        ? html`<p class="empty">and ${shown.length - cut.length} more: filter, or <button class="plain" onClick=${() => (choice.value = { ...choice.value, whole: true })}>show all</button></p>`
        : null
    }
  </div>`;
}

function Nothing() {
  return html`<div class="empty">
    <p>There is no datastream yet. Ten lines of YAML are one:</p>
    <pre>weir new generator/blackhole > mine.yaml${"\n"}weir submit mine.yaml --cluster ${location.origin}</pre>
  </div>`;
}
