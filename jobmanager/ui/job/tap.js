// Some rows behind a step as they go by: chosen, filtered by an expression, and shown as long as somebody looks.

import { html, useEffect, useRef, useState } from "../html.js";
import { events } from "../live.js";
import { listen, path, Problem } from "../rest.js";
import { exact } from "../words.js";

const KEPT = 500;
const SECONDS = 600;

const NOTHING = { rows: [], opened: null, count: null, end: null };

/** @param {{ name: string, vertices: any[], over: boolean }} props */
export function Tap({ name, vertices, over }) {
  const steps = vertices.flatMap((vertex) => vertex.steps.map((step) => step.name));
  const [step, setStep] = useState("");
  const [condition, setCondition] = useState("");
  const [running, setRunning] = useState(null);
  const [seen, setSeen] = useState(NOTHING);
  const [problem, setProblem] = useState(null);
  const chosen = steps.includes(step) ? step : steps[0];
  useEffect(() => {
    if (!running) return undefined;
    setSeen(NOTHING);
    return follow(running, {
      hear: (event, told) => setSeen((known) => heard(known, event, told)),
      fail: (error) => {
        setProblem(error);
        setRunning(null);
      },
      done: () => setRunning(null),
    });
  }, [running]);
  const url = () => {
    const options = new URLSearchParams({ step: chosen, seconds: String(SECONDS), limit: "10000" });
    if (condition.trim()) options.set("where", condition);
    return `${path(name)}/tap?${options}`;
  };
  const start = (event) => {
    event.preventDefault();
    setProblem(null);
    setRunning(running ? null : url());
  };
  if (!steps.length) return html`<p class="empty">Nothing is known of its steps any more.</p>`;
  return html`<form class="filter inner" onSubmit=${start}>
      <label class="pair">Rows behind <select value=${chosen} disabled=${Boolean(running)} onChange=${(event) => setStep(event.currentTarget.value)} data-testid="tap-step">
        ${steps.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
      <label class="wide">where <input spellcheck=${false} placeholder="any; an SQL expression such as total > 100" value=${condition} disabled=${Boolean(running)}
        onInput=${(event) => setCondition(event.currentTarget.value)} data-testid="tap-where" /></label>
      <button class=${running ? "" : "primary"} disabled=${over && !running} data-testid="tap-start">${running ? "Stop" : "Start"}</button>
    </form>
    ${problem ? html`<div class="wrong" data-testid="tap-problem"><pre>${problem.rendered || [problem.message, problem.help].filter(Boolean).join("\n  help: ")}</pre></div>` : null}
    <${Counts} seen=${seen} running=${running} over=${over} />
    <${Rows} rows=${seen.rows} running=${running} />`;
}

function Counts({ seen, running, over }) {
  const { opened, count, end } = seen;
  if (!opened) return over ? html`<p class="looking">The datastream is over; no rows go by.</p>` : null;
  const some = opened.subtasks < opened.parallelism ? ` in ${opened.subtasks} of its ${opened.parallelism} subtasks` : "";
  return html`<p class="looking" data-testid="tap-counts">
    ${running ? "Looking at" : "Looked at"} <b>${opened.step}</b>${some}${opened.hidden.length ? html`; hidden: <b>${opened.hidden.join(", ")}</b>` : null}.
    ${count ? html` <span data-tip="Counted by the subtasks since the tap was opened: rows that left the step, those that were held against the condition, those it is true for, and those that were shown. A tap shows a sample; what is too much is left out, so that the stream is never slowed.">
      <b data-testid="tap-passed">${exact(count.passed)}</b> rows went by, <b>${exact(count.lookedAt)}</b> looked at, <b>${exact(count.matched)}</b> fitted, <b>${exact(count.shown)}</b> shown, <b>${exact(count.dropped)}</b> left out.</span>` : null}
    ${count && count.failed ? html` <span data-warn="true">The condition could not be computed for ${exact(count.failed)} of them; of the first: ${count.failure}.</span>` : null}
    ${end && !running ? ` It has ended: ${end.reason}.` : null}</p>`;
}

function Rows({ rows, running }) {
  const box = useRef(null);
  useEffect(() => {
    // Whoever reads further up is not pulled away.
    const element = box.current;
    if (element && element.scrollHeight - element.scrollTop - element.clientHeight < 160) element.scrollTop = element.scrollHeight;
  }, [rows.length, rows[rows.length - 1]]);
  return html`<div class="rows" ref=${box} tabindex="0" role="log" aria-label="Rows">
    ${rows.length ? rows.map((row) => html`<${Row} key=${row.key} row=${row} />`) : html`<p class="empty">${running ? "No row that fits has gone by yet." : "Start shows some rows as they go by; nothing is changed and nothing slowed."}</p>`}
  </div>`;
}

function Row({ row }) {
  const at = row.eventTimeMs === null ? "" : new Date(row.eventTimeMs).toISOString().slice(0, 23).replace("T", " ");
  return html`<p data-testid="tap-row"><time data-tip="The row's event time, in UTC.">${at || "no event time"}</time><span class="who">${row.subtask}</span>
    <span>${row.kind ? html`<b>${row.kind}</b> ` : null}${row.shown}</span></p>`;
}

let keys = 0;

/** What is known after an event more. */
function heard(known, event, told) {
  if (event === "open") return { ...known, opened: told };
  if (event === "count") return { ...known, count: told };
  if (event === "end") return { ...known, end: told };
  const shown = told.row !== null ? JSON.stringify(told.row) : (told.text ?? `base64 ${told.base64}`);
  keys += 1;
  const row = { ...told, key: keys, shown: shown + (told.cut ? `… (${exact(told.bytes)} bytes)` : "") };
  return { ...known, rows: [...known.rows.slice(1 - KEPT), row] };
}

/**
 * Listens until the tap is over. Whoever breaks off does not begin anew.
 * @param {string} url
 * @param {{ hear: (event: string, told: any) => void, fail: (error: any) => void, done: () => void }} to
 */
function follow(url, { hear, fail, done }) {
  const question = new AbortController();
  const listening = async () => {
    try {
      for await (const [event, data] of events(listen(url, question.signal))) {
        hear(event, JSON.parse(data));
        if (event === "end") break;
      }
    } catch (problem) {
      if (problem instanceof Problem && !question.signal.aborted) fail(problem);
    }
    question.abort();
    done();
  };
  listening();
  return () => question.abort();
}
