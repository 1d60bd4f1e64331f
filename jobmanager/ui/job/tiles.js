// The six numbers that an owner asks for first; each says how it is measured.

import { html } from "../html.js";
import { isOver } from "../parts/state.js";
import { ago, bytes, count, exact, joined, measure, percent, roundRate, span, spanText, stamp } from "../words.js";

/** @param {{ datastream: any, now: number }} props */
export function Tiles({ datastream, now }) {
  return html`<section class="tiles" aria-label="Numbers">
    <${Freshness} datastream=${datastream} now=${now} />
    <${Flow} id="in" name="In" datastream=${datastream} />
    <${Flow} id="out" name="Out" datastream=${datastream} />
    <${Backlog} datastream=${datastream} />
    <${Checkpoint} datastream=${datastream} now=${now} />
    <${Losses} datastream=${datastream} />
  </section>`;
}

function Tile({ name, tip, id, value, below, tone }) {
  return html`<div class="tile" data-tip=${tip} data-tone=${tone} tabindex="0">
    <h3>${name}</h3>
    <p data-testid=${`tile-${id}`}><b>${value.digits}</b> <span class="unit">${value.unit}</span></p>
    <small>${below}</small>
  </div>`;
}

function Freshness({ datastream, now }) {
  const { watermarkMs, state } = datastream.summary;
  const over = isOver(state);
  const known = watermarkMs !== null && !over;
  const tip =
    "Now minus the lowest event time that its sinks have come to: how old what readers see is. Without event time nobody can say.";
  const below = known ? `at ${stamp(watermarkMs)}` : over ? state : "no event time yet";
  return html`<${Tile} id="freshness" name="Freshness" tip=${tip} value=${known ? span(now - watermarkMs) : { digits: "–", unit: "" }} below=${below} />`;
}

function Flow({ id, name, datastream }) {
  const { progress, state } = datastream.summary;
  const [rowsRate, rows, what] =
    id === "in"
      ? [progress.rowsInRate, progress.rowsIn, "from its sources"]
      : [progress.rowsOutRate, progress.rowsOut, "to its sinks"];
  const below = id === "in" ? `${joined(measure(progress.bytesRate, "B/s"))} · ${count(rows)} in all` : `${count(rows)} in all`;
  const tip = `Rows a second ${what} over the last one to two seconds; ${exact(rows)} in this life, over all restarts. Dead letters are not counted as out.`;
  if (isOver(state))
    return html`<${Tile} id=${id} name=${name} tip=${tip} value=${measure(rows, "rows")} below=${id === "in" ? bytes(progress.bytesRead) : "in this life"} />`;
  return html`<${Tile} id=${id} name=${name} tip=${tip} value=${measure(roundRate(rowsRate), "/s")} below=${below} />`;
}

function Backlog({ datastream }) {
  const { progress } = datastream.summary;
  const tip =
    "Bytes of input that are there and not read yet, where the input is bounded: files. Other sources do not say yet how much waits.";
  if (progress.bytesTotal === null) {
    return html`<${Tile} id="backlog" name="Backlog" tip=${tip} value=${{ digits: "–", unit: "" }} below=${`${bytes(progress.bytesRead)} read so far`} />`;
  }
  const left = measure(Math.max(0, progress.bytesTotal - progress.bytesRead), "B");
  const eta = progress.etaSeconds === null || progress.share === 1 ? "" : ` · ${spanText(progress.etaSeconds * 1000)} left`;
  return html`<${Tile} id="backlog" name="Backlog" tip=${tip} value=${left} below=${`${percent(progress.share)} of ${bytes(progress.bytesTotal)} read${eta}`} />`;
}

function Checkpoint({ datastream, now }) {
  const { epoch, lastCheckpoint } = datastream.summary;
  const tip =
    "The newest epoch of its chain: everything up to it is committed. Below: when the last checkpoint was triggered, how long it took up to the last commit, and the bytes of its snapshots.";
  const below = lastCheckpoint
    ? `${ago(lastCheckpoint.triggeredMs, now)} · ${spanText(lastCheckpoint.durationMs)} · ${bytes(lastCheckpoint.bytes)}`
    : "none yet";
  return html`<${Tile} id="checkpoint" name="Checkpoint" tip=${tip} value=${{ digits: `#${exact(epoch)}`, unit: "" }} below=${below} />`;
}

function Losses({ datastream }) {
  const { progress } = datastream.summary;
  const late = datastream.vertices.flatMap((vertex) => vertex.steps).reduce((sum, step) => sum + step.late, 0);
  const share = progress.rowsIn ? progress.deadLetters / progress.rowsIn : 0;
  const tip =
    "Records that a step could not take, in this life; they lie in the dead letters with the reason. Late: rows that came after their window had closed, since the last start.";
  return html`<${Tile} id="dead" name="Dead letters" tip=${tip} value=${measure(progress.deadLetters, "")} tone=${share > 0.01 ? "warn" : ""}
    below=${`${percent(share)} of rows in · ${count(late)} late`} />`;
}
