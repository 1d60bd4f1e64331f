// YAML with line numbers; keys, strings and comments told apart, and what is wrong under the line where it is.

import { html } from "../html.js";
import { Finding } from "./findings.js";

/** Key, string, number or word, comment: enough to read by, and everything stays text. */
const WORDS =
  /("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(#.*$)|([A-Za-z_][\w.-]*)(?=\s*:(?:\s|$))|(?<![\w.-])(-?\d[\w.]*|true|false|null|ON|OFF)(?![\w.-])/g;
const KINDS = ["", "string", "comment", "key", "value"];

/** A line as pieces of text and spans. @param {string} line */
export function parts(line) {
  const found = [];
  let at = 0;
  for (const match of line.matchAll(WORDS)) {
    const kind = match.slice(1).findIndex(Boolean) + 1;
    // A number sign inside a word is none that begins a comment.
    if (kind === 2 && match.index > 0 && !/\s/.test(line[match.index - 1])) continue;
    found.push(line.slice(at, match.index), html`<span class=${KINDS[kind]}>${match[0]}</span>`);
    at = match.index + match[0].length;
  }
  found.push(line.slice(at));
  return found;
}

/** The lines of a text; a line end at its end begins no further line. @param {string} text */
export const linesOf = (text) => text.replace(/\n$/, "").split("\n");

/** @param {{ text: string, findings?: any[] }} props */
export function Yaml({ text, findings = [] }) {
  const at = (line) => findings.filter((one) => one.place?.line === line + 1);
  return html`<div class="scroll"><ol class="yaml" data-testid="document">${linesOf(text).map((line, index) => {
    const here = at(index);
    return html`<li key=${index} data-tone=${here[0]?.severity}><code>${parts(line)}</code>
      ${here.length ? html`<div class="notes">${here.map((one, number) => html`<${Finding} key=${number} one=${one} />`)}</div>` : null}</li>`;
  })}</ol></div>`;
}
