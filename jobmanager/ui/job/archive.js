// What a datastream has kept: folders, files with their rows and times, a few rows of a file, and a replay of any of it.

import { html, useEffect, useState } from "../html.js";
import { path, read } from "../rest.js";
import { bytes, count, exact, isTime, stamp } from "../words.js";
import { Replay } from "./replay.js";

/** A row that is wider than this is cut. */
const CELL_MAX = 200;

/** @param {{ name: string, contact: string | null }} props */
export function Archive({ name, contact }) {
  const [asked, ask] = useState({ sink: "", under: "", after: "" });
  const [known, setKnown] = useState({ archive: null, problem: null });
  const [file, setFile] = useState(null);
  const [round, again] = useState(0);
  useEffect(() => {
    let gone = false;
    const given = Object.entries(asked).filter(([, value]) => value);
    read(`${path(name)}/archive?${new URLSearchParams(given)}`).then(
      (archive) => gone || setKnown({ archive, problem: null }),
      (problem) => gone || setKnown({ archive: null, problem }),
    );
    return () => {
      gone = true;
    };
  }, [name, asked, round]);
  const { archive, problem } = known;
  if (problem) return html`<div class="empty" data-testid="no-archive"><p>${problem.message}</p>${problem.help ? html`<p>${problem.help}</p>` : null}</div>`;
  if (!archive) return html`<p class="empty">Looking …</p>`;
  if (!archive.sinks.length)
    return html`<div class="empty" data-testid="no-archive"><p>It keeps no archive.</p><p class="soft">In its document <code>archive: { path: … }</code> keeps what its sinks take as Parquet files.</p></div>`;
  const set = (change) => {
    setFile(null);
    ask({ ...asked, after: "", ...change });
  };
  const shown = archive.files.find((one) => one.file === file);
  return html`<div class="filter inner">
      ${
        archive.sinks.length > 1
          ? html`<label class="pick">Of<select onChange=${(event) => set({ sink: event.currentTarget.value, under: "" })}>
          ${archive.sinks.map((one) => html`<option key=${one.step} value=${one.step} selected=${one.step === archive.sink}>${one.step}</option>`)}</select></label>`
          : null
      }
      <code class="cut" title=${archive.path}>${archive.path}</code>
      <span class="soft" data-testid="archive-total" data-tip="Files that are committed; those still being written are not among them.">${exact(archive.filesTotal)} files, ${bytes(archive.bytesTotal)}</span>
      <span class="room"></span><button class="quiet" onClick=${() => again(round + 1)}>Look again</button></div>
    ${
      archive.filesTotal === 0
        ? html`<p class="empty">Nothing is kept yet: a file appears with the first checkpoint behind its end.</p>`
        : html`<div class="shelves"><${Folders} archive=${archive} under=${asked.under} set=${set} />
          <div class="files"><${Replay} name=${name} contact=${contact} archive=${archive} files=${shown ? [shown] : archive.files} under=${asked.under} />
            <${Files} archive=${archive} file=${file} choose=${setFile} />
            ${archive.next || asked.after ? html`<p class="pages">${asked.after ? html`<button onClick=${() => set({ after: "" })}>From the beginning</button>` : null}
              ${archive.next ? html`<button onClick=${() => ask({ ...asked, after: archive.next })}>Further files</button>` : null}</p>` : null}
            ${shown ? html`<${Sample} key=${file} name=${name} sink=${archive.sink} file=${file} />` : null}</div></div>`
    }`;
}

/** `eventType=PURCHASE` is known by its value, `hour=13` is not. @param {string} name */
function short(name) {
  const value = name.slice(name.indexOf("=") + 1);
  return value.length > 3 ? value : name;
}

/** The folders as a tree: each part of a path once. */
function Folders({ archive, under, set }) {
  const rows = new Map();
  for (const one of archive.partitions) {
    const parts = one.folder.split("/").filter(Boolean);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const folder = parts.slice(0, depth).join("/");
      const row = rows.get(folder) || { folder, depth, name: parts[depth - 1], files: 0, bytes: 0 };
      row.files += one.files;
      row.bytes += one.bytes;
      rows.set(folder, row);
    }
  }
  // Below the one that is open, and those on the way to it: the whole tree of a year of hours is too much.
  const parent = (folder) => folder.split("/").slice(0, -1).join("/");
  const isOpen = (folder) => folder === "" || under === folder || under.startsWith(`${folder}/`);
  const all = [...rows.values()].filter((row) => isOpen(parent(row.folder))).sort((one, other) => (one.folder < other.folder ? -1 : 1));
  return html`<nav class="folders" aria-label="Partitions"><h3>Partitions</h3><ul>
    <li><button aria-pressed=${!under} onClick=${() => set({ under: "" })}><span>all</span><span class="soft">${exact(archive.filesTotal)}</span></button></li>
    ${all.map(
      (row) => html`<li key=${row.folder}><button aria-pressed=${under === row.folder} data-depth=${Math.min(4, row.depth)} onClick=${() => set({ under: row.folder })} data-testid="partition"
        data-tip=${`${row.folder}: ${exact(row.files)} files, ${bytes(row.bytes)}`}><span>${short(row.name)}</span><span class="soft">${exact(row.files)}</span></button></li>`,
    )}</ul></nav>`;
}

const HEADS = [
  ["File", ""],
  ["Rows", "Rows in the file, by its footer."],
  ["Size", "Bytes of the file."],
  ["First", "The lowest event time in it, by its footer, in UTC."],
  ["Last", "The highest event time in it, by its footer, in UTC."],
  ["Job", "The job that wrote it, and the epoch that was restored when it was begun."],
];

function Files({ archive, file, choose }) {
  const time = (ms) => (isTime(ms) ? stamp(ms).slice(0, 19) : "–");
  return html`<div class="scroll"><table class="list kept"><thead><tr>${HEADS.map(
    ([head, tip], index) => html`<th key=${head} scope="col" class=${index === 0 ? "first" : index < 3 ? "number" : ""} data-tip=${tip || undefined}>${head}</th>`,
  )}</tr></thead>
    <tbody>${archive.files.map((one) => {
      const folder = one.file.split("/").slice(0, -1).join("/");
      return html`<tr key=${one.file} data-testid="archive-file" data-chosen=${one.file === file}>
        <th scope="row" class="first"><button class="plain" title=${one.file} aria-expanded=${one.file === file} onClick=${() => choose(one.file === file ? null : one.file)}>${one.file.slice(folder.length).replace(/^\//, "")}</button>${folder ? html`<small>${folder}</small>` : null}</th>
        <td class="number" title=${exact(one.rows)}>${count(one.rows)}</td><td class="number" title=${exact(one.bytes)}>${bytes(one.bytes)}</td>
        <td>${time(one.fromMs)}</td><td>${time(one.toMs)}</td>
        <td class="soft">${one.job ? html`<code>${one.job}</code>${one.epoch === null ? "" : ` #${exact(one.epoch)}`}` : "–"}</td></tr>`;
    })}</tbody></table></div>`;
}

/** The first rows of a file, in columns. */
function Sample({ name, sink, file }) {
  const [known, setKnown] = useState({ rows: null, problem: null });
  useEffect(() => {
    const query = new URLSearchParams({ sink, file, limit: "20" });
    read(`${path(name)}/archive/sample?${query}`).then(
      (rows) => setKnown({ rows, problem: null }),
      (problem) => setKnown({ rows: null, problem }),
    );
  }, []);
  const { rows, problem } = known;
  if (problem) return html`<p class="told" data-tone="bad">${problem.message}</p>`;
  if (!rows) return html`<p class="empty">Reading it …</p>`;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value) => {
    const text = value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
    return text.length > CELL_MAX ? `${text.slice(0, CELL_MAX)} …` : text;
  };
  return html`<section class="sample-rows" aria-label="Rows" data-testid="archive-rows"><div class="filter inner"><h3><b>The first ${rows.length} rows</b></h3><code class="cut soft" title=${file}>${file}</code></div>
    <div class="scroll" tabindex="0" role="region" aria-label="The first rows"><table class="list"><thead><tr>${columns.map((column, index) => html`<th key=${column} scope="col" class=${index ? "" : "first"}>${column}</th>`)}</tr></thead>
    <tbody>${rows.map((row, index) => html`<tr key=${index} data-testid="archive-row">${columns.map((column, place) => html`<td key=${column} class=${place ? "" : "first"}><code>${cell(row[column])}</code></td>`)}</tr>`)}</tbody></table></div></section>`;
}
