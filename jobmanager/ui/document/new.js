// A new datastream: written, looked at and submitted in the browser.

import { html, useMemo, useState } from "../html.js";
import { draftOf, keepDraft, STARTER } from "./draft.js";
import { Writing } from "./writing.js";

export function New() {
  const [round, again] = useState(0);
  const begin = useMemo(() => draftOf("") || STARTER, [round]);
  const anew = () => {
    keepDraft("", null);
    again(round + 1);
  };
  return html`<main class="page" id="main"><section class="panel" aria-label="New datastream">
    <${Writing} key=${round} begin=${begin} draft="" title=${html`<h1 class="small">New datastream</h1>`}
      tools=${html`<button class="quiet" onClick=${anew} data-tip="Lets go of what is written here.">Begin again</button>`} />
  </section></main>`;
}
