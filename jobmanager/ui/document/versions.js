// The versions of a document: which, when, why, and what became of the state of its steps with each.

import { html } from "../html.js";
import { toJob } from "../route.js";
import { ago, exact } from "../words.js";
import { Fate, tally } from "./prospect.js";

const CAUSES = {
  begun: "A life began with it.",
  changed: "It was applied while another one ran.",
  resumed: "It was submitted in place of another one that had ended.",
  found: "A job manager found it in force, and does not know since when.",
};

/** @param {{ name: string, versions: any[], shown: number | null, now: number }} props */
export function Versions({ name, versions, shown, now }) {
  return html`<nav class="versions" aria-label="Versions"><h3>Versions</h3>
    <ol>${versions.map((one, index) => {
      const before = versions[index + 1];
      return html`<li key=${one.number} data-shown=${shown === one.number} data-testid="version">
        <a href=${toJob(name, "document", index ? { version: one.number } : {})} aria-current=${shown === one.number ? "true" : undefined}>
          <b>#${exact(one.number)}</b> <span data-tip=${CAUSES[one.cause]}>${one.cause}</span></a>
        <time class="soft" data-tip=${new Date(one.atMs).toLocaleString()}>${ago(one.atMs, now)}</time>
        <span class="fates">${tally(one.verdicts).map(([fate, many]) => html`<span key=${fate}><${Fate} fate=${fate} /> ${exact(many)}</span>`)}</span>
        ${before ? html`<a class="compare" href=${toJob(name, "document", { from: before.number, to: one.number })} data-testid="compare">compare with #${exact(before.number)}</a>` : null}
      </li>`;
    })}</ol></nav>`;
}
