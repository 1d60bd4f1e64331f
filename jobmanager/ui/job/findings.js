// What is wrong, in one line, by the job manager's own rules; the worst first, the rest on demand.

import { html, useState } from "../html.js";
import { ticked } from "../parts/ticked.js";
import { since } from "../words.js";

const TONE = { bad: "bad", warning: "warn", note: "note" };
const MARK = { bad: "✕", warning: "!", note: "i" };

/** @param {{ datastream: any, now: number, choose: (id: string) => void }} props */
export function Findings({ datastream, now, choose }) {
  const [open, setOpen] = useState(false);
  const { findings, summary } = datastream;
  if (findings.length === 0) {
    if (summary.state !== "running") return null;
    return html`<p class="finding" data-tone="good" data-testid="finding"><i aria-hidden="true">✓</i><span>Nothing holds it up.</span></p>`;
  }
  const shown = open ? findings : findings.slice(0, 1);
  const more = findings.length - shown.length;
  return html`<div class="findings" role="status">
    ${shown.map(
      (one, index) => html`<${Finding} key=${one.code} one=${one} now=${now} choose=${choose}
      more=${index === 0 && more ? html`<button class="plain" onClick=${() => setOpen(true)}>${more} more</button>` : index === 0 && open && findings.length > 1 ? html`<button class="plain" onClick=${() => setOpen(false)}>less</button>` : null} />`,
    )}
  </div>`;
}

function Finding({ one, now, choose, more }) {
  const vertex = one.subtask ? `vtx-${one.subtask.replace(/^sub-/, "").split(".")[0]}` : null;
  return html`<div class="finding" data-tone=${TONE[one.severity]} data-testid="finding" data-code=${one.code}>
    <i aria-hidden="true">${MARK[one.severity]}</i>
    <span><span class="hidden">${one.severity}: </span>${ticked(one.text)}
      ${one.sinceMs ? html` <span class="soft">for ${since(one.sinceMs, now)}</span>` : null}
      ${(one.evidence || []).map((seen, index) => html`<small key=${index} class="seen">${ticked(seen)}</small>`)}
      ${one.help ? html`<small>${ticked(one.help)}</small>` : null}</span>
    ${vertex ? html`<button class="plain" onClick=${() => choose(vertex)}>show ${one.subtask}</button>` : null}
    ${more}
  </div>`;
}
