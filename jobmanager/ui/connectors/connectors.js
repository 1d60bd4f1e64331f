// Every connector, format and step with its options, as this build knows them: found by a word, each with an address.

import { html, useEffect, useRef, useState } from "../html.js";
import { read } from "../rest.js";
import { route } from "../route.js";
import { Component } from "./component.js";

const KINDS = [
  ["connector", "Connectors"],
  ["format", "Formats"],
  ["step", "Steps"],
];

/** @param {string} name */
const to = (name) => `#/connectors/${encodeURIComponent(name)}`;

/** Everything of a component in which a word is looked for. @param {any} one */
function words(one) {
  const names = (options) => options.flatMap((option) => [option.name, option.about, ...names(option.options)]);
  return [one.name, one.summary, ...one.uses.flatMap((use) => names(use.options))].join(" ").toLowerCase();
}

export function Connectors() {
  const [all, setAll] = useState(null);
  const [problem, setProblem] = useState(null);
  const [text, setText] = useState("");
  const input = useRef(null);
  useEffect(() => {
    read("/v1/connectors").then(setAll, setProblem);
    const heard = (event) => {
      if (event.key !== "/" || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", heard);
    return () => removeEventListener("keydown", heard);
  }, []);
  if (!all) return html`<main class="page" id="main"><p class="empty">${problem ? problem.message : "Asking the job manager …"}</p></main>`;
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((one) => wanted.every((word) => words(one).includes(word)));
  const chosen = all.find((one) => one.name === route.value.name) || shown[0];
  return html`<main class="page" id="main"><section class="panel shelf" aria-label="Connectors">
    <nav class="index" aria-label="Connectors, formats and steps">
      <label class="search"><span class="hidden">Filter by name, meaning or option</span>
        <input ref=${input} type="search" placeholder="Filter, also by option" value=${text} onInput=${(event) => setText(event.currentTarget.value)} data-testid="filter" />
        <kbd aria-hidden="true">/</kbd></label>
      ${KINDS.map(([kind, title]) => {
        const some = shown.filter((one) => one.kind === kind);
        return some.length
          ? html`<h3 key=${kind}>${title}</h3><ul>${some.map(
              (one) => html`<li key=${one.name}><a href=${to(one.name)} aria-current=${one === chosen ? "true" : undefined} data-testid="component">${one.name}
              <span class="soft">${one.uses.map((use) => use.place).filter((place) => place !== one.kind).join(", ")}</span></a></li>`,
            )}</ul>`
          : null;
      })}
      ${shown.length ? null : html`<p class="soft pad">Nothing fits.</p>`}
    </nav>
    ${chosen ? html`<${Component} key=${chosen.name} one=${chosen} />` : null}
  </section></main>`;
}
