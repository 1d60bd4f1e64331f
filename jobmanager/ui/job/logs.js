// The log as it grows: of the job manager and of every task manager, in the order of their times.

import { html, useEffect, useRef, useState } from "../html.js";
import { path, read } from "../rest.js";
import { clock } from "../words.js";

const PERIOD_MS = 2_000;
const KEPT = 1_000;

/** @param {{ name: string }} props */
export function Logs({ name }) {
  const [lines, setLines] = useState([]);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState(null);
  const end = useRef(null);
  useEffect(() => {
    let after = 0;
    let timer = 0;
    let gone = false;
    const ask = async () => {
      try {
        const more = document.hidden ? [] : await read(`${path(name)}/logs?after=${after}&limit=${KEPT}`);
        if (gone) return;
        setProblem(null);
        if (more.length) {
          after = Math.max(after, ...more.map((line) => line.number));
          setLines((known) =>
            [...known, ...more].sort((one, other) => one.atMs - other.atMs || one.number - other.number).slice(-KEPT),
          );
        }
      } catch (error) {
        setProblem(error);
      }
      if (!gone) timer = setTimeout(ask, PERIOD_MS);
    };
    ask();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [name]);
  useEffect(() => {
    // Whoever reads further up is not pulled away.
    const box = end.current;
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
  }, [lines.length]);
  const wanted = text.toLowerCase();
  const shown = wanted
    ? lines.filter((line) => `${line.level} ${line.origin} ${line.subtask || ""} ${line.text}`.toLowerCase().includes(wanted))
    : lines;
  return html`<div class="filter inner"><label class="search"><span class="hidden">Filter the log</span>
      <input type="search" placeholder="Filter the log" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></label>
    <span class="soft">${shown.length} of the last ${lines.length} lines</span>${problem ? html`<span data-warn="true">${problem.message}</span>` : null}</div>
  <div class="log" ref=${end} tabindex="0" role="log" aria-label="Log">
    ${shown.length ? shown.map((line) => html`<${Line} key=${line.number} line=${line} />`) : html`<p class="empty">No lines.</p>`}
  </div>`;
}

function Line({ line }) {
  const tone = { ERROR: "bad", WARN: "warn" }[line.level] || "";
  return html`<p data-tone=${tone} data-testid="line"><time data-tip=${new Date(line.atMs).toLocaleString()}>${clock(line.atMs)}</time>
    <span class="level">${line.level}</span><span class="origin" title=${line.origin}>${line.subtask || line.origin}</span><span>${line.text}</span></p>`;
}
