// A replay of what was kept: a document made for this archive and this time, which is looked at and submitted as any other.

import { html, useState } from "../html.js";
import { keepDraft } from "../document/draft.js";
import { isTime } from "../words.js";

/** A text of YAML in a line. @param {string} text */
const quoted = (text) => JSON.stringify(text);

/**
 * The document of a replay.
 * @param {{ name: string, contact: string | null, path: string, from: string, to: string, types: string[], speed: string }} wanted
 */
export function replayOf({ name, contact, path, from, to, types, speed }) {
  const options = [
    `      path: ${quoted(path)}`,
    from ? `      from: ${quoted(from)}` : "",
    to ? `      to: ${quoted(to)}` : "",
    types.length ? `      eventTypes: [${types.map(quoted).join(", ")}]` : "",
    `      speed: ${speed}`,
  ];
  return `# What ${name} has kept, once more. Name the sink that is to have it.
datastreamName: replay-${name}
contactName: ${quoted(contact || "nobody named")}
desiredState: ON
sources:
  - archive:
${options.filter(Boolean).join("\n")}
sinks:
  - blackhole: {}
`;
}

/** A moment as a document has it, to the second; the end is behind the last one. @param {number | null} ms @param {number} [more] */
const moment = (ms, more = 0) => (isTime(ms) ? `${new Date(Math.floor((ms + more) / 1000) * 1000).toISOString().slice(0, 19)}Z` : "");

/** The first and the last event time of files. @param {any[]} files */
function ends(files) {
  const times = files.filter((one) => isTime(one.fromMs) && isTime(one.toMs));
  if (!times.length) return { from: "", to: "" };
  return { from: moment(Math.min(...times.map((one) => one.fromMs))), to: moment(Math.max(...times.map((one) => one.toMs)), 1000) };
}

/** @param {{ name: string, contact: string | null, archive: any, files: any[], under: string }} props */
export function Replay({ name, contact, archive, files, under }) {
  const whole = ends(files);
  const [given, give] = useState({});
  const { from, to } = { ...whole, ...given };
  const [speed, setSpeed] = useState("max");
  const types = under
    .split("/")
    .filter((part) => part.startsWith("eventType="))
    .map((part) => decodeURIComponent(part.slice("eventType=".length)));
  const open = () => {
    keepDraft("", replayOf({ name, contact, path: archive.path, from, to, types, speed }));
    location.hash = "#/new";
  };
  const field = (label, key, value) => html`<label class="pick">${label}
    <input value=${value} size="21" spellcheck="false" onInput=${(event) => give({ ...given, [key]: event.currentTarget.value })} data-testid=${`replay-${key}`} /></label>`;
  return html`<div class="filter inner replay"><b>Replay</b>${field("from", "from", from)}${field("to", "to", to)}
    <label class="pick">at<select onChange=${(event) => setSpeed(event.currentTarget.value)} data-tip="max: as fast as it is taken. A multiple: of the time in which the events happened.">
      ${["max", "1x", "10x", "100x"].map((one) => html`<option key=${one} value=${one} selected=${one === speed}>${one}</option>`)}</select></label>
    ${types.length ? html`<span class="soft">only ${types.join(", ")}</span>` : null}
    <span class="room"></span><button class="primary" onClick=${open} data-testid="replay" data-tip="Opens a document for it, which is looked at and submitted as any other.">Replay this …</button></div>`;
}
