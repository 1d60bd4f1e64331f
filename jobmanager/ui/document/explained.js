// The page of a code, as `weir explain CODE` prints it: headings, paragraphs, lists and what is written in YAML.

import { html, useEffect, useState } from "../html.js";
import { readText } from "../rest.js";
import { Dialog } from "../parts/dialog.js";
import { ticked } from "../parts/ticked.js";

/** @param {{ code: string, close: () => void }} props */
export function Explained({ code, close }) {
  const [text, setText] = useState("");
  useEffect(() => {
    readText(`/v1/explain/${encodeURIComponent(code)}`).then(setText, (problem) => setText(problem.message));
  }, [code]);
  return html`<${Dialog} title=${code} close=${close} wide=${true}>
    <div class="prose" data-testid="explained">${text ? blocks(text) : html`<p class="soft">Asking …</p>`}</div>
    <div class="actions"><button type="button" class="primary" onClick=${close}>Close</button></div>
  <//>`;
}

/** As much of Markdown as these pages use. @param {string} text */
function blocks(text) {
  const fences = text.split(/^```.*$/m);
  return fences.flatMap((part, index) => {
    if (index % 2) return [html`<pre>${part.replace(/^\n|\n$/g, "")}</pre>`];
    return part
      .split(/\n{2,}/)
      .map((block) => block.trim())
      .filter(Boolean)
      .map(block);
  });
}

/** @param {string} text */
function block(text) {
  if (text.startsWith("#")) return html`<h3>${ticked(text.replace(/^#+\s*/, ""))}</h3>`;
  if (/^[-*] /.test(text)) return html`<ul>${text.split(/\n[-*] /).map((item) => html`<li>${ticked(item.replace(/^[-*] /, ""))}</li>`)}</ul>`;
  return html`<p>${ticked(text)}</p>`;
}
