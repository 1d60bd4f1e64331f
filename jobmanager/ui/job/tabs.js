// The details, one at a time: steps, exceptions, log, dead letters, document, what was asked for.

import { html } from "../html.js";
import { route, toJob } from "../route.js";
import { exact } from "../words.js";
import { Steps } from "./steps.js";
import { Exceptions, Operations } from "./happened.js";
import { Logs } from "./logs.js";
import { DeadLetters } from "./letters.js";
import { Document } from "./document.js";
import { Archive } from "./archive.js";
import { Tap } from "./tap.js";

const OVER = ["finished", "stopped", "cancelled", "failed"];

/** @param {{ datastream: any, text: string, now: number }} props */
export function Tabs({ datastream, text, now }) {
  const dead = datastream.deadLetters.reduce((sum, one) => sum + one.count, 0);
  const tabs = [
    ["steps", "Steps", "", () => html`<${Steps} datastream=${datastream} now=${now} />`],
    [
      "exceptions",
      "Exceptions",
      datastream.exceptions.length,
      () => html`<${Exceptions} exceptions=${datastream.exceptions} now=${now} />`,
    ],
    ["letters", "Dead letters", dead, () => html`<${DeadLetters} name=${datastream.summary.name} letters=${datastream.deadLetters} />`],
    ["tap", "Tap", "", () => html`<${Tap} name=${datastream.summary.name} vertices=${datastream.vertices} over=${OVER.includes(datastream.summary.state)} />`],
    ["logs", "Log", "", () => html`<${Logs} name=${datastream.summary.name} />`],
    ["document", "Document", "", () => html`<${Document} name=${datastream.summary.name} text=${text} now=${now} />`],
    ["archive", "Archive", "", () => html`<${Archive} name=${datastream.summary.name} contact=${datastream.contact} />`],
    [
      "operations",
      "Operations",
      datastream.operations.length,
      () => html`<${Operations} operations=${datastream.operations} now=${now} />`,
    ],
  ];
  const open = tabs.find(([id]) => id === route.value.tab) || tabs[0];
  const turn = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(open) + step + tabs.length) % tabs.length];
    history.replaceState(null, "", toJob(datastream.summary.name, next[0]));
    dispatchEvent(new HashChangeEvent("hashchange"));
    requestAnimationFrame(() => document.getElementById(`tab-${next[0]}`)?.focus());
  };
  return html`<section class="panel tabs">
    <div class="tablist" role="tablist" aria-label="Details" onKeyDown=${turn}>
      ${tabs.map(
        ([
          id,
          name,
          many,
        ]) => html`<a key=${id} id=${`tab-${id}`} role="tab" href=${toJob(datastream.summary.name, id)} aria-selected=${id === open[0]}
        tabindex=${id === open[0] ? 0 : -1} aria-controls="tab" data-testid=${`tab-${id}`}>${name}${many ? html` <b>${exact(many)}</b>` : null}</a>`,
      )}
    </div>
    <div role="tabpanel" id="tab" aria-labelledby=${`tab-${open[0]}`}>${open[3]()}</div>
  </section>`;
}
