// What is wrong or odd in a text: where, what, what to write instead, and the page that explains the code.

import { html, useState } from "../html.js";
import { Ticked } from "../parts/ticked.js";
import { Explained } from "./explained.js";

const SHOWN_MAX = 50;

/** @param {{ one: any, go?: (finding: any) => void }} props */
export function Finding({ one, go }) {
  const [open, setOpen] = useState(false);
  const help = [one.help].flat().filter(Boolean);
  const { place } = one;
  return html`<div class="diagnostic" data-tone=${one.severity} data-testid="diagnostic">
    <p class="what"><i aria-hidden="true">${one.severity === "error" ? "!" : "?"}</i>
      <span><span class="hidden">${one.severity}: </span><${Ticked} text=${one.message} />${one.label ? html` <span class="soft">(<${Ticked} text=${one.label} />)</span>` : null}</span></p>
    ${one.suggestion ? html`<p class="instead">did you mean <code>${one.suggestion}</code>?</p>` : null}
    ${help.map((text, index) => html`<p class="instead" key=${index}><${Ticked} text=${text} /></p>`)}
    <p class="soft where">
      ${place && go ? html`<button class="plain" type="button" onClick=${() => go(one)}>line ${place.line}, column ${place.column}</button>` : null}
      ${place && !go ? html`<span>column ${place.column}</span>` : null}
      ${one.code ? html`<button class="plain" type="button" onClick=${() => setOpen(true)} data-testid="explain">${one.code}: what it means</button>` : null}</p>
    ${open ? html`<${Explained} code=${one.code} close=${() => setOpen(false)} />` : null}
  </div>`;
}

/** @param {{ findings: any[], go?: (finding: any) => void }} props */
export function Findings({ findings, go }) {
  const more = findings.length - SHOWN_MAX;
  return html`<ol class="diagnostics">${findings.slice(0, SHOWN_MAX).map((one, index) => html`<li key=${index}><${Finding} one=${one} go=${go} /></li>`)}
    ${more > 0 ? html`<li class="soft">and ${more} more</li>` : null}</ol>`;
}
