// Records that a step could not take: how many, and each of them as it came, read back from where they are kept.

import { html, useEffect, useState } from "../html.js";
import { ticked } from "../parts/ticked.js";
import { path, read } from "../rest.js";
import { exact, joined, measure } from "../words.js";

const PAGE = 50;
const SPANS = [
  ["", "any time"],
  ["600000", "the last 10 minutes"],
  ["3600000", "the last hour"],
  ["86400000", "the last day"],
];

/** @param {{ name: string, letters: any[] }} props */
export function DeadLetters({ name, letters }) {
  const [asked, ask] = useState({ step: "", error: "", span: "" });
  const [found, setFound] = useState({ letters: [], next: null, lookedAt: 0, unread: [], kept: true, ready: false });
  const [problem, setProblem] = useState(null);
  const count = letters.reduce((sum, one) => sum + one.count, 0);
  const fetchPage = async (after, known) => {
    const options = new URLSearchParams({ limit: String(PAGE) });
    if (asked.step) options.set("step", asked.step);
    if (asked.error) options.set("error", asked.error);
    if (asked.span) options.set("sinceMs", String(Date.now() - Number(asked.span)));
    if (after) options.set("after", after);
    const page = await read(`${path(name)}/dead-letters?${options}`);
    return {
      letters: [...known, ...page.letters],
      next: page.next,
      lookedAt: page.lookedAt,
      unread: page.unread,
      kept: page.kept,
      ready: true,
    };
  };
  const more = (after, known, gone = { yes: false }) =>
    fetchPage(after, known).then(
      (page) => {
        if (gone.yes) return;
        setProblem(null);
        setFound(page);
      },
      (error) => !gone.yes && setProblem(error),
    );
  useEffect(() => {
    const gone = { yes: false };
    // Whoever types is not asked about every letter.
    const timer = setTimeout(() => more(null, [], gone), asked.error ? 250 : 0);
    return () => {
      gone.yes = true;
      clearTimeout(timer);
    };
  }, [name, asked.step, asked.error, asked.span]);
  const steps = [...new Set([...letters.map((one) => one.step), ...found.letters.map((one) => one.step)])].sort();
  const turn = (key) => (event) => ask({ ...asked, [key]: event.currentTarget.value });
  return html`<div class="filter inner">
      <label class="pair">Step <select value=${asked.step} onChange=${turn("step")} data-testid="letters-step">
        <option value="">all</option>${steps.map((step) => html`<option key=${step} value=${step}>${step}</option>`)}</select></label>
      <label class="pair">Time <select value=${asked.span} onChange=${turn("span")} data-testid="letters-span">
        ${SPANS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
      <label class="search"><span class="hidden">Text of the error</span>
        <input type="search" placeholder="Text of the error" value=${asked.error} onInput=${turn("error")} data-testid="letters-error" /></label>
      <button class="quiet" onClick=${() => more(null, [])} data-testid="letters-again">Read again</button>
      <span class="soft" data-tip="Counted by the task managers since the last start; files keep those of earlier starts too.">${exact(count)} since the last start</span>
    </div>
    ${problem ? html`<div class="wrong"><pre>${[problem.message, problem.help].filter(Boolean).join("\n  help: ")}</pre></div>` : found.kept ? html`<${List} name=${name} found=${found} />` : html`<${NotKept} letters=${letters} />`}
    ${!problem && found.next ? html`<p class="more"><button onClick=${() => more(found.next, found.letters)} data-testid="letters-more">Older ones</button></p>` : null}`;
}

function List({ name, found }) {
  const [open, setOpen] = useState(null);
  if (!found.ready) return html`<p class="empty">Reading …</p>`;
  if (!found.letters.length)
    return html`<p class="empty" data-testid="letters-none">No dead letter fits${found.next ? " among those that were looked at" : ""}.
      A file shows its letters once it is finished and committed.</p>`;
  const turn = (id) => setOpen(open === id ? null : id);
  return html`<div class="scroll"><table class="list letters">
    <thead><tr><th scope="col" class="first" data-tip="When the step met it, by the clock of its task manager.">Failed, UTC</th><th scope="col">Step</th><th scope="col">Error</th>
      <th scope="col" data-tip="The split of the source, and the record's place in it.">From</th><th scope="col">Record</th></tr></thead>
    <tbody>${found.letters.map((letter) => [
      html`<tr key=${letter.id} data-testid="letter" data-id=${letter.id} data-open=${open === letter.id} onClick=${() => turn(letter.id)}>
        <td class="first"><button class="plain" aria-expanded=${open === letter.id} aria-label=${`Show the record of ${time(letter.failedAtMs)}`}>${time(letter.failedAtMs)}</button></td>
        <td>${letter.step}</td><td class="text" title=${letter.error}>${ticked(letter.error)}</td>
        <td class="soft">${from(letter)}</td><td class="text"><code>${excerpt(letter)}</code></td></tr>`,
      open === letter.id ? html`<${Whole} key=${`${letter.id} whole`} name=${name} letter=${letter} />` : null,
    ])}</tbody></table></div>
    ${found.unread.length ? html`<p class="looking">Files that cannot be shown here: ${found.unread.join(", ")}</p>` : null}`;
}

/** All of one: the list has its beginning only. */
function Whole({ name, letter }) {
  const [whole, setWhole] = useState(letter.cut ? null : letter);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    if (letter.cut) read(`${path(name)}/dead-letters/${encodeURIComponent(letter.id)}`).then(setWhole, setProblem);
  }, [letter.id]);
  const facts = [
    ["Error", ticked(letter.error)],
    ["From", from(letter)],
    ["Attempt", letter.attempt],
    ["Record", joined(measure(letter.bytes, "B"))],
    ["Lies in", letter.id],
  ];
  return html`<tr class="whole" data-testid="whole"><td colspan="5">
    <dl>${facts.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    ${problem ? html`<p data-warn="true">${problem.message}</p>` : html`<pre tabindex="0" aria-label="The record">${whole ? record(whole) : "Reading …"}</pre>`}
  </td></tr>`;
}

/** Where none are kept, the first few are known all the same. */
function NotKept({ letters }) {
  if (!letters.length) return html`<p class="empty">No record has gone to the dead letters since the last start.</p>`;
  return [
    html`<p class="looking"><code>deadLetter: { path: DIR }</code> in the document keeps them; without it they are counted, and these are the first few.</p>`,
    html`<ul class="happened">${letters.map(
      (one) => html`<li key=${one.step}>
      <p class="what"><b>${one.step}</b> <span data-warn="true">${exact(one.count)} records</span> <span class="soft">since the last start; the first of them:</span></p>
      ${one.samples.map((sample, index) => html`<${Sample} key=${index} sample=${sample} />`)}
    </li>`,
    )}</ul>`,
  ];
}

/** Where it lay, why it was refused, and the record itself: as the task manager says it. */
function Sample({ sample }) {
  const at = sample.indexOf(": {") > 0 ? sample.indexOf(": {") : -1;
  if (at < 0) return html`<p class="sample"><span>${ticked(sample)}</span></p>`;
  return html`<p class="sample"><span>${ticked(sample.slice(0, at))}</span><code>${sample.slice(at + 2)}</code></p>`;
}

const time = (ms) => new Date(ms).toISOString().slice(0, 23).replace("T", " ");
const from = (letter) => (letter.split === null ? "–" : letter.position === null ? letter.split : `${letter.split} at ${letter.position}`);
const record = (letter) => (letter.record ?? (letter.recordBase64 === null ? "" : `base64 ${letter.recordBase64}`)) + (letter.cut ? "…" : "");
const excerpt = (letter) => record(letter).slice(0, 200);
