// Submits or applies a text: asked once, with what becomes of the state of every step before the eyes.

import { html, useState } from "../html.js";
import { wishText } from "../rest.js";
import { Dialog } from "../parts/dialog.js";
import { ticked } from "../parts/ticked.js";
import { keepDraft } from "./draft.js";
import { prospectOf, Verdicts } from "./prospect.js";

/** What the button of a review says; nothing where there is nothing to do. @param {any[]} documents */
export const buttonOf = (documents) => documents.map((one) => prospectOf(one)[1]).find(Boolean) || "";

/** @param {any[]} documents */
const isFresh = (documents) => documents.some((one) => one.prospect === "finished");

/** @param {{ text: string, documents: any[], draft: string, close: () => void, done: (taken: any[]) => void }} props */
export function Ask({ text, documents, draft, close, done }) {
  const [allowed, allow] = useState(false);
  const [state, setState] = useState({ busy: false, problem: null });
  const fresh = isFresh(documents);
  const drops = !fresh && documents.some((one) => one.verdicts.some((verdict) => verdict.state === "drops"));
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, problem: null });
    try {
      const how = new URLSearchParams(fresh ? { fresh: "true" } : { apply: "true", allowDroppedState: String(allowed) });
      const taken = await wishText(`/v1/datastreams?${how}`, text);
      keepDraft(draft, null);
      done(taken);
    } catch (problem) {
      setState({ busy: false, problem });
    }
  };
  const told = state.problem?.diagnostics?.findings || [];
  return html`<${Dialog} title=${`${buttonOf(documents)}: ${documents.map((one) => one.name).join(", ")}`} close=${close} wide=${true}>
    <form onSubmit=${send}>
      ${documents.map((one) => html`<div key=${one.name}><p>${documents.length > 1 ? html`<b>${one.name}</b>: ` : null}${prospectOf(one)[0]}</p><div class="scroll"><${Verdicts} verdicts=${one.verdicts} /></div></div>`)}
      ${
        drops
          ? html`<label class="check"><input type="checkbox" checked=${allowed} required onChange=${(event) => allow(event.currentTarget.checked)} data-testid="allow" />
            The state of the steps that are gone may go with them</label>`
          : null
      }
      ${
        state.problem
          ? html`<div class="told" data-tone="bad" role="alert"><p>${state.problem.message}</p>
            ${told.map((one, index) => html`<p key=${index}>line ${one.place?.line}: ${ticked(one.message)}</p>`)}
            ${state.problem.help ? html`<span>${ticked(state.problem.help)}</span>` : null}</div>`
          : null
      }
      <div class="actions">
        <button type="button" onClick=${close}>Leave it as it is</button>
        <button type="submit" class="primary" disabled=${state.busy} data-testid="confirm">${state.busy ? "Asking …" : buttonOf(documents)}</button>
      </div>
    </form>
  <//>`;
}
