// The document as it was submitted, with line numbers; keys, strings and comments told apart.

import { html, useState } from "../html.js";

/** Key, string, number or word, comment: enough to read by, and everything stays text. */
const WORDS =
  /("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(#.*$)|([A-Za-z_][\w.-]*)(?=\s*:(?:\s|$))|(?<![\w.-])(-?\d[\w.]*|true|false|null|ON|OFF)(?![\w.-])/g;
const KINDS = ["", "string", "comment", "key", "value"];

/** @param {string} line */
function parts(line) {
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

/** @param {{ text: string }} props */
export function Document({ text }) {
  const [copied, setCopied] = useState(false);
  if (!text) return html`<p class="empty">Its document is not known any more.</p>`;
  const lines = text.replace(/\n$/, "").split("\n");
  const copy = () =>
    navigator.clipboard?.writeText(text).then(
      () => setCopied(true),
      () => {},
    );
  return html`<div class="filter inner"><span class="soft">${lines.length} lines</span><span class="room"></span>
    <button class="quiet" onClick=${copy}>${copied ? "Copied" : "Copy"}</button></div>
  <div class="scroll"><ol class="yaml" data-testid="document">${lines.map((line, index) => html`<li key=${index}><code>${parts(line)}</code></li>`)}</ol></div>`;
}
