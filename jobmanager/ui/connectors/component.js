// One connector, format or step: what it is for, what it promises, each option, and documents that use it.

import { html, useState } from "../html.js";
import { keepDraft } from "../document/draft.js";
import { linesOf, parts } from "../document/yaml.js";
import { ticked } from "../parts/ticked.js";

const PLACES = { source: "As a source", sink: "As a sink", format: "Options", step: "Options" };
const GUARANTEES = {
  exactlyOnce: ["exactly once", "good", "After a crash at any point every row is there once."],
  atLeastOnce: ["at least once", "wait", "After a crash at any point every row is there, some perhaps twice."],
};

/** @param {{ one: any }} props */
export function Component({ one }) {
  const [word, tone, tip] = GUARANTEES[one.guarantee] || [];
  return html`<article class="component">
    <header><h1 data-testid="component-name">${one.name}</h1> <span class="soft">${one.kind}</span>
      ${word ? html`<span class="state" data-tone=${tone} data-tip=${tip}><i></i>its sink delivers ${word}</span>` : null}</header>
    <p class="lead">${ticked(sentence(one.summary))}</p>
    ${one.uses.map((use) => html`<${Use} key=${use.place} use=${use} kind=${one.kind} />`)}
    ${one.examples.map((example) => html`<${Example} key=${example.title} example=${example} />`)}
  </article>`;
}

/** @param {string} text */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!]$/.test(text) ? "" : "."}`;

function Use({ use, kind }) {
  const rows = flat(use.options, "");
  return html`<section aria-label=${PLACES[use.place]}>
    <h2>${PLACES[use.place]}</h2>
    ${use.about && kind === "connector" ? html`<p class="soft">${ticked(use.about)}</p>` : null}
    ${use.short ? html`<p>In short: <b>${ticked(use.short)}</b> behind its key.</p>` : null}
    ${
      rows.length
        ? html`<div class="scroll"><table class="list choices"><thead><tr><th scope="col" class="first">Option</th><th scope="col">Takes</th><th scope="col">Unless given</th><th scope="col">What it means</th></tr></thead>
        <tbody>${rows.map((row) => html`<${Row} key=${row.path} row=${row} />`)}</tbody></table></div>`
        : use.short
          ? null
          : html`<p class="soft">No options.</p>`
    }</section>`;
}

/** Options and those inside them, one behind another. @param {any[]} options @param {string} above @returns {any[]} */
function flat(options, above) {
  return options.flatMap((option) => {
    const path = above + option.name;
    return [{ ...option, path, depth: above.split(".").length - 1 }, ...flat(option.options, `${path}.`)];
  });
}

function Row({ row }) {
  const above = row.path.slice(0, row.path.length - row.name.length);
  return html`<tr data-testid="option" data-required=${row.required}>
    <th scope="row" class="first"><code><span class="soft">${above}</span>${row.name}</code>${row.required ? html` <span class="needed" data-tip="It must be given.">needed</span>` : null}</th>
    <td>${ticked(row.type)}${row.unit ? html`<small data-tip="What its value is measured in.">${row.unit}</small>` : null}${row.range ? html`<small>${row.range}</small>` : null}${row.example && !row.default ? html`<small>such as <code>${row.example}</code></small>` : null}</td>
    <td>${row.default && !row.options.length ? html`<code>${row.default}</code>` : html`<span class="faint">–</span>`}</td>
    <td class="about">${ticked(row.about)}
      ${row.values.length ? html`<ul>${row.values.map((value) => html`<li key=${value.value}><code>${value.value}</code>${value.about ? html` ${ticked(value.about)}` : null}</li>`)}</ul>` : null}</td>
  </tr>`;
}

function Example({ example }) {
  const [copied, setCopied] = useState(false);
  const whole = example.document.startsWith("datastreamName");
  const copy = () =>
    navigator.clipboard?.writeText(example.document).then(
      () => setCopied(true),
      () => {},
    );
  const open = () => {
    keepDraft("", example.document);
    location.hash = "#/new";
  };
  return html`<section class="example" aria-label=${example.title}><div class="filter inner"><h2>${example.title}</h2><span class="room"></span>
      <button class="quiet" onClick=${copy}>${copied ? "Copied" : "Copy"}</button>
      ${whole ? html`<button onClick=${open} data-testid="open">Begin with it</button>` : null}</div>
    <div class="scroll"><ol class="yaml">${linesOf(example.document).map((line, index) => html`<li key=${index}><code>${parts(line)}</code></li>`)}</ol></div></section>`;
}
