// What is between two documents: the lines that went and came, with their numbers; or the same as `diff -u` writes it.

import { html, useState } from "../html.js";
import { parts } from "./yaml.js";

const SIGNS = { same: " ", added: "+", removed: "−" };

/** @param {{ difference: any, choose?: boolean }} props */
export function Difference({ difference, choose = false }) {
  const [unified, setUnified] = useState(false);
  if (!difference.hunks.length) return html`<p class="empty">They say the same, word for word.</p>`;
  const turn = choose
    ? html`<div class="filter inner"><div class="chips" role="group" aria-label="Form">
      <button class="chip" aria-pressed=${!unified} onClick=${() => setUnified(false)}>Side by side</button>
      <button class="chip" aria-pressed=${unified} onClick=${() => setUnified(true)} data-testid="unified">Unified</button></div></div>`
    : null;
  const shape = choose && !unified ? Aside : Below;
  return html`${turn}<div class="scroll diff" data-testid="difference" data-form=${choose && !unified ? "aside" : "below"} tabindex="0" role="region" aria-label="Difference">
    ${difference.hunks.map((hunk, index) => html`<${shape} key=${index} hunk=${hunk} first=${index === 0} />`)}</div>`;
}

const Line = ({ line }) =>
  line
    ? html`<span class="sign">${SIGNS[line.change]}</span><code>${parts(line.text)}</code>`
    : html`<span class="sign"></span><code></code>`;

/** One column: what went stands before what came. */
function Below({ hunk, first }) {
  return html`<div class="hunk" data-first=${first}>${hunk.lines.map(
    (line, index) => html`<div class="line" key=${index} data-change=${line.change}><span class="n">${line.before || ""}</span><span class="n">${line.after || ""}</span><${Line} line=${line} /></div>`,
  )}</div>`;
}

/** Two columns: what went stands beside what came. */
function Aside({ hunk, first }) {
  return html`<div class="hunk" data-first=${first}>${paired(hunk.lines).map(
    ([before, after], index) => html`<div class="pairs" key=${index}>
      <div class="line" data-change=${before ? before.change : "none"}><span class="n">${before?.before || ""}</span><${Line} line=${before} /></div>
      <div class="line" data-change=${after ? after.change : "none"}><span class="n">${after?.after || ""}</span><${Line} line=${after} /></div></div>`,
  )}</div>`;
}

/** @param {any[]} lines @returns {[any, any][]} */
export function paired(lines) {
  /** @type {[any, any][]} */
  const rows = [];
  let [went, came] = [[], []];
  const flush = () => {
    for (let index = 0; index < Math.max(went.length, came.length); index += 1) rows.push([went[index], came[index]]);
    [went, came] = [[], []];
  };
  for (const line of lines) {
    if (line.change === "removed") went.push(line);
    else if (line.change === "added") came.push(line);
    else {
      flush();
      rows.push([line, line]);
    }
  }
  flush();
  return rows;
}
