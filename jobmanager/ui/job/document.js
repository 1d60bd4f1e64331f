// The document of a datastream: what is in force, what ran before, what is between them, and a change of it.

import { html, useEffect, useState } from "../html.js";
import { path, read, readText, wishText } from "../rest.js";
import { route, toJob } from "../route.js";
import { exact } from "../words.js";
import { Difference } from "../document/difference.js";
import { draftOf, keepDraft } from "../document/draft.js";
import { Sums } from "../document/prospect.js";
import { findingsOf } from "../document/review.js";
import { Versions } from "../document/versions.js";
import { Writing } from "../document/writing.js";
import { linesOf, Yaml } from "../document/yaml.js";

/** What is asked for once, and again when it changes. @param {() => Promise<any>} ask @param {any[]} by */
function useAnswer(ask, by) {
  const [answer, setAnswer] = useState({ value: null, problem: null });
  useEffect(() => {
    let gone = false;
    ask().then(
      (value) => gone || setAnswer({ value, problem: null }),
      (problem) => gone || setAnswer({ value: null, problem }),
    );
    return () => {
      gone = true;
    };
  }, by);
  return answer;
}

/** @param {{ name: string, text: string, now: number }} props */
export function Document({ name, text, now }) {
  const query = route.value.query;
  const number = (key) => Number(query.get(key)) || null;
  const [version, from, to] = [number("version"), number("from"), number("to")];
  const { value: versions } = useAnswer(() => read(`${path(name)}/versions`), [name, text]);
  if (query.has("edit")) return html`<${Change} key=${version} name=${name} text=${text} version=${version} />`;
  return html`<div class="papers">
    <div class="paper">${
      from && to
        ? html`<${Between} name=${name} from=${from} to=${to} versions=${versions || []} />`
        : html`<${Paper} name=${name} text=${text} version=${version} versions=${versions || []} />`
    }</div>
    ${versions?.length ? html`<${Versions} name=${name} versions=${versions} shown=${from ? null : version || versions[0].number} now=${now} />` : null}
  </div>`;
}

/** One document as it was submitted. */
function Paper({ name, text, version, versions }) {
  const [copied, setCopied] = useState(false);
  const old = useAnswer(
    async () => (version ? readText(`${path(name)}/versions/${version}/document`) : null),
    [name, version],
  );
  const shown = version ? old.value : text;
  // What this job manager would say of it today, where it says it.
  const { value: review } = useAnswer(async () => (shown ? wishText("/v1/validate", shown) : null), [shown]);
  if (old.problem) return html`<p class="empty">${old.problem.message}</p>`;
  if (!shown) return html`<p class="empty">${version ? "Asking …" : "Its document is not known any more."}</p>`;
  const findings = findingsOf(review);
  const copy = () =>
    navigator.clipboard?.writeText(shown).then(
      () => setCopied(true),
      () => {},
    );
  const newest = versions[0]?.number;
  return html`<div class="filter inner">
      <b>${version ? `Version ${exact(version)}` : newest ? `Version ${exact(newest)}, in force` : "In force"}</b>
      <span class="soft">${linesOf(shown).length} lines${findings.length ? `, ${findings.length} to look at` : ""}</span><span class="room"></span>
      ${version && newest ? html`<a href=${toJob(name, "document", { from: version, to: newest })}>Compare with what is in force</a>` : null}
      <button class="quiet" onClick=${copy}>${copied ? "Copied" : "Copy"}</button>
      <a class="button" href=${toJob(name, "document", version ? { edit: 1, version } : { edit: 1 })} data-testid="edit">${version ? "Go back to it …" : "Change it"}</a></div>
    <${Yaml} text=${shown} findings=${findings} />`;
}

/** What is between two versions. */
function Between({ name, from, to, versions }) {
  const { value: difference, problem } = useAnswer(() => read(`${path(name)}/diff?from=${from}&to=${to}`), [name, from, to]);
  const select = (label, value, turn) => html`<label class="pick">${label}
    <select value=${String(value)} onChange=${(event) => (location.hash = turn(Number(event.currentTarget.value)))}>
      ${versions.map((one) => html`<option key=${one.number} value=${String(one.number)} selected=${one.number === value}>#${exact(one.number)}</option>`)}
    </select></label>`;
  return html`<div class="filter inner">
      ${select("From version", from, (value) => toJob(name, "document", { from: value, to }))}
      ${select("to version", to, (value) => toJob(name, "document", { from, to: value }))}
      ${difference ? html`<${Sums} of=${difference} />` : null}<span class="room"></span>
      <a href=${toJob(name, "document")}>What is in force</a></div>
    ${problem ? html`<p class="empty">${problem.message}</p>` : difference ? html`<${Difference} difference=${difference} choose=${true} />` : html`<p class="empty">Asking …</p>`}`;
}

/** A change of the document, from what is in force or from an older version. */
function Change({ name, text, version }) {
  const old = useAnswer(
    async () => (version ? readText(`${path(name)}/versions/${version}/document`) : null),
    [name, version],
  );
  const begin = version ? old.value : draftOf(name) || text;
  if (!begin) return html`<p class="empty">${old.problem ? old.problem.message : "Asking …"}</p>`;
  const leave = () => {
    keepDraft(name, null);
    location.hash = toJob(name, "document");
  };
  const title = html`<b>${version ? `Back to version ${exact(version)}` : "A change of the document"}</b>`;
  return html`<${Writing} begin=${begin} draft=${name} title=${title}
    tools=${html`<button class="quiet" onClick=${leave} data-testid="leave">Leave it as it is</button>`} />`;
}
