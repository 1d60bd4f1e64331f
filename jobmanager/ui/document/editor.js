// A text area with line numbers: the browser's own, transparent above the same text in colours, so that undo, selection and
// screen readers work as everywhere. Tab leaves it as it leaves any field.

import { html, useEffect, useRef } from "../html.js";
import { linesOf, parts } from "./yaml.js";

/** Longer texts are shown without colours: every key would draw them all again. */
const COLOURED_MAX = 3_000;

/** @param {{ text: string, change: (text: string) => void, findings: any[], goal: any, label: string }} props */
export function Editor({ text, change, findings, goal, label }) {
  const area = useRef(null);
  const lines = linesOf(text + (text.endsWith("\n") ? " " : ""));
  const coloured = lines.length <= COLOURED_MAX;
  const worst = new Map();
  for (const one of findings) {
    const line = one.place?.line;
    if (line && worst.get(line) !== "error") worst.set(line, one.severity);
  }
  useEffect(() => {
    const place = goal?.place;
    if (!place || !area.current) return;
    const [start, end] = [offset(text, place.line, place.column), offset(text, place.endLine, place.endColumn)];
    area.current.focus();
    area.current.setSelectionRange(start, Math.max(start, end));
    area.current.closest(".editor").querySelector(`[data-line="${place.line}"]`)?.scrollIntoView({ block: "center" });
  }, [goal]);
  const key = (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
    const { selectionStart, value } = event.currentTarget;
    const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
    const indent = /^ */.exec(line)[0];
    if (!indent) return;
    event.preventDefault();
    // The only way that leaves the browser's undo whole.
    document.execCommand("insertText", false, `\n${indent}`);
  };
  return html`<div class="editor" tabindex="-1">
    <ol class="gutter" aria-hidden="true">${lines.map((_, index) => html`<li key=${index} data-line=${index + 1} data-tone=${worst.get(index + 1)}></li>`)}</ol>
    <div class="layers">
      <pre aria-hidden="true">${coloured ? lines.map((line, index) => html`<span key=${index}>${parts(line)}${"\n"}</span>`) : text}</pre>
      <pre class="marks" aria-hidden="true">${coloured ? lines.map((line, index) => html`<span key=${index}>${marked(line, index + 1, findings)}${"\n"}</span>`) : null}</pre>
      <textarea ref=${area} value=${text} aria-label=${label} spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off"
        onInput=${(event) => change(event.currentTarget.value)} onKeyDown=${key} data-testid="editor"></textarea>
    </div>
  </div>`;
}

/** Where a place is in a text, which counts characters and not what JavaScript calls so. @param {string} text @param {number} line @param {number} column */
function offset(text, line, column) {
  const before = text.split("\n").slice(0, line - 1);
  const own = [...(text.split("\n")[line - 1] || "")].slice(0, column - 1).join("");
  return before.reduce((sum, one) => sum + one.length + 1, 0) + own.length;
}

/** A line with what is wrong in it underlined; of what spans several lines the first one is. @param {string} line @param {number} number @param {any[]} findings */
function marked(line, number, findings) {
  const here = findings.filter((one) => one.place?.line === number);
  if (!here.length) return line;
  const letters = [...line];
  const pieces = [];
  let at = 0;
  for (const { place, severity } of here.sort((one, other) => one.place.column - other.place.column)) {
    const start = Math.max(at, place.column - 1);
    const end = Math.max(start + 1, place.endLine === place.line ? place.endColumn - 1 : letters.length);
    pieces.push(letters.slice(at, start).join(""), html`<u data-tone=${severity}>${letters.slice(start, end).join("") || " "}</u>`);
    at = Math.min(end, letters.length);
  }
  pieces.push(letters.slice(at).join(""));
  return pieces;
}
