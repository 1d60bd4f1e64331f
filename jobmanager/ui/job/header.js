// Who it is, how it is, whose it is; and what can be done about it.

import { html, useState } from "../html.js";
import { path, wish } from "../rest.js";
import { isOver, State } from "../parts/state.js";
import { Dialog } from "../parts/dialog.js";
import { bytes, since } from "../words.js";

/** What a person can do: what is asked once, and what is wished for. */
const ACTIONS = {
  savepoint: {
    name: "Savepoint",
    title: "Take a savepoint",
    text: "A checkpoint is kept by name, with copies of all it needs; the datastream goes on.",
    field: ["Label", "text", "made of the name and the time, where it is empty"],
    button: "Take it",
    wish: (name, label) => wish(`${path(name)}/savepoints`, label ? { label } : {}),
  },
  rescale: {
    name: "Rescale",
    title: "Go on with another parallelism",
    text: "It takes a checkpoint, hands the state over, and goes on from there. Steps that have a parallelism of their own keep it.",
    field: ["Parallelism", "number", ""],
    button: "Rescale",
    wish: (name, value) => wish(`${path(name)}/rescale`, { parallelism: Number(value) }),
  },
  stop: {
    name: "Stop",
    title: "Stop with a last checkpoint",
    text: "Everything up to the checkpoint is committed, and its state is kept: submitted again, it goes on there.",
    button: "Stop it",
    wish: (name) => wish(`${path(name)}/stop`, { drain: false }),
  },
  drain: {
    name: "Drain",
    title: "End the input and finish",
    text: "What has entered is finished, time runs out and windows fire. It is finished for good then: it cannot go on.",
    button: "Drain it",
    grave: true,
    wish: (name) => wish(`${path(name)}/stop`, { drain: true }),
  },
  cancel: {
    name: "Cancel",
    title: "Cancel now",
    text: "Nothing is committed behind its last checkpoint; its state up to there is kept.",
    button: "Cancel it",
    grave: true,
    wish: (name) => wish(`${path(name)}/cancel`),
  },
};

/** @param {{ datastream: any, now: number }} props */
export function Header({ datastream, now }) {
  const { summary, contact, generation, operations } = datastream;
  const [asked, ask] = useState(null);
  const over = isOver(summary.state);
  const underWay = operations.find((one) => one.state === "underWay");
  return html`<header class="head">
    <div class="who">
      <h1 data-testid="job-name">${summary.name}</h1>
      <${State} state=${summary.state} />
      <span class="soft" data-tip=${`Since ${new Date(summary.sinceMs).toLocaleString()}`}>for ${since(summary.sinceMs, now)}</span>
    </div>
    <p class="soft facts">
      <span>owner <b>${contact || "nobody named"}</b></span>
      <span data-tip="Its name and its life: a life is one fresh start.">job <code>${summary.job}</code></span>
      ${generation ? html`<span data-tip="The leader's term, and how many deployments it has made.">generation <code>${generation}</code></span>` : null}
      ${
        datastream.resources
          ? html`<span data-testid="resources"><span data-tip="Processors that its subtasks keep busy: the sum of their shares at work, over the last one to two seconds."><b>${datastream.resources.cpuCores.toFixed(2)}</b> cores</span>,
        ${" "}<span data-tip="What it may hold of the memory of all task managers."><b>${bytes(datastream.resources.memoryBytes)}</b> of memory</span>,
        ${" "}<span data-tip="Bytes a second that enter its chains, and that leave them, over every hand-over."><b>${bytes(datastream.resources.bytesInRate)}/s</b> in, <b>${bytes(datastream.resources.bytesOutRate)}/s</b> out</span></span>`
          : null
      }
      <span data-tip="Subtasks at work, of all it has.">${summary.subtasksRunning} of ${summary.subtasks} subtasks at work</span>
    </p>
    <div class="actions" role="group" aria-label="Actions">
      ${underWay ? html`<span class="doing" data-testid="doing"><i></i>${underWay.what} …</span>` : null}
      ${
        over
          ? null
          : Object.entries(ACTIONS).map(
              ([id, action]) => html`<button key=${id} class=${action.grave ? "grave" : ""}
        onClick=${() => ask(id)} data-testid=${`action-${id}`}>${action.name}</button>`,
            )
      }
    </div>
    ${asked ? html`<${Ask} action=${ACTIONS[asked]} datastream=${datastream} close=${() => ask(null)} />` : null}
  </header>`;
}

function Ask({ action, datastream, close }) {
  const name = datastream.summary.name;
  const widest = Math.max(1, ...datastream.vertices.map((vertex) => vertex.parallelism));
  const [value, setValue] = useState(action.name === "Rescale" ? String(widest) : "");
  const [state, setState] = useState({ busy: false, problem: null });
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, problem: null });
    try {
      await action.wish(name, value);
      close();
    } catch (problem) {
      setState({ busy: false, problem });
    }
  };
  const [label, type, hint] = action.field || [];
  return html`<${Dialog} title=${action.title} close=${close}>
    <form onSubmit=${send}>
      <p><b>${name}</b></p>
      <p>${action.text}</p>
      ${
        label
          ? html`<label class="field">${label}
        <input type=${type} min=${type === "number" ? 1 : undefined} required=${type === "number"} value=${value} placeholder=${hint}
          onInput=${(event) => setValue(event.currentTarget.value)} data-testid="field" /></label>`
          : null
      }
      ${
        state.problem
          ? html`<p class="told" data-tone="bad" role="alert">${state.problem.message}
        ${state.problem.help ? html`<span>${state.problem.help}</span>` : null}</p>`
          : null
      }
      <div class="actions">
        <button type="button" onClick=${close}>Leave it as it is</button>
        <button type="submit" class=${action.grave ? "primary grave" : "primary"} disabled=${state.busy} data-testid="confirm">
          ${state.busy ? "Asking …" : action.button}</button>
      </div>
    </form>
  <//>`;
}
