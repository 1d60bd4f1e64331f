// The last checkpoints as a strip: how long each took and what came of it; and of one of them, what it spent its time on.

import { html, useState } from "../html.js";
import { ago, bytes, clock, exact, span, spanText } from "../words.js";

const TIP = "One bar for each checkpoint, the newest on the right: its height is how long it took, red was given up.";

/** Phases of a checkpoint: name, colour, how long, what it is. @param {any} one */
function phases(one) {
  const behind = [
    ["record", "--phase-3", one.recordMs, "Making the record in the store: from then on the epoch is true."],
    ["commit", "--phase-4", one.commitMs, "From the record to the last sink's commit."],
  ];
  if (one.split) {
    const { subtask, startUs, alignmentUs, syncUs, uploadUs } = one.split;
    const of = `of ${subtask}, which answered last`;
    return [
      ["start", "--phase-1", startUs / 1000, `From the trigger until the barrier came to it, ${of}, and the ways of the messages.`],
      ["align", "--phase-2", alignmentUs / 1000, `From the barrier's coming by the first channel until it had come by all, ${of}.`],
      ["sync", "--phase-5", syncUs / 1000, `What its own thread was held up by the snapshot, ${of}.`],
      ["upload", "--phase-6", uploadUs / 1000, `From there until state and sinks were durable, while rows flowed, ${of}.`],
      ...behind,
    ];
  }
  const aligned = Math.min(one.alignmentMs, one.collectMs);
  return [
    [
      "collect",
      "--phase-1",
      one.collectMs - aligned,
      "From the trigger to the last subtask's answer, without what alignment took: the barrier's way through the stream, and the snapshots.",
    ],
    [
      "align",
      "--phase-2",
      aligned,
      "How long the barrier was aligned where that took longest: a subtask had it on one channel and waited for the others.",
    ],
    ...behind,
  ];
}

/** @param {{ checkpoints: any, now: number }} props */
export function Checkpoints({ checkpoints, now }) {
  const [picked, pick] = useState(null);
  const history = [...checkpoints.history].reverse();
  const one = history.find((each) => each.barrier === picked) || history[history.length - 1];
  const most = Math.max(1, ...history.map((each) => each.durationMs));
  const done = checkpoints.history
    .filter((each) => each.epoch !== null)
    .map((each) => each.durationMs)
    .sort((a, b) => a - b);
  const quantile = (share) => (done.length ? done[Math.min(done.length - 1, Math.floor(done.length * share))] : null);
  return html`<section class="panel checkpoints" aria-label="Checkpoints">
    <div class="filter"><h2 data-tip=${TIP}>Checkpoints</h2>
      <span class="soft" data-tip="Since this job manager took the datastream."><b data-testid="checkpoints-completed">${exact(checkpoints.completed)}</b> committed,
        ${" "}<b data-warn=${checkpoints.aborted > 0}>${exact(checkpoints.aborted)}</b> given up</span>
      <span class="soft" data-tip="Of those in the strip that were committed: half took at most, and 95 of 100 took at most.">p50 <b>${spanText(quantile(0.5))}</b> · p95 <b>${spanText(quantile(0.95))}</b></span>
      <span class="room"></span><${Current} current=${checkpoints.current} />
    </div>
    ${
      history.length === 0
        ? html`<p class="empty">None yet.</p>`
        : html`<div class="strip-and-one">
      <div class="strip" role="group" aria-label="The last checkpoints">${history.map(
        (each) => html`<button key=${each.barrier}
        class="stick" data-tone=${each.epoch === null ? "bad" : each.overtookBytes !== null ? "warn" : "good"} aria-pressed=${each === one}
        aria-label=${`${each.epoch === null ? "given up" : `epoch ${each.epoch}`}, ${spanText(each.durationMs)}`} onClick=${() => pick(each.barrier)}>
        <i style=${{ height: `${Math.max(4, Math.round(100 * (each.durationMs / most)))}%` }}></i></button>`,
      )}</div>
      <${One} one=${one} now=${now} />
    </div>`
    }
  </section>`;
}

function Current({ current }) {
  if (!current) return null;
  const waits = current.waitsFor.length ? `, waits for ${current.waitsFor.join(", ")}` : "";
  return html`<span class="doing" data-tip=${`${current.barrier} is ${current.phase}${waits}.`}><i></i>${current.phase} for ${spanText(current.ageMs)}${current.ageMs > 3000 ? waits : ""}</span>`;
}

function One({ one, now }) {
  const { digits, unit } = span(one.durationMs);
  const all = phases(one);
  const sum = Math.max(
    1,
    all.reduce((total, [, , ms]) => total + ms, 0),
  );
  return html`<div class="one" data-testid="checkpoint">
    <p class="what"><b>${one.epoch === null ? "given up" : `#${exact(one.epoch)}`}</b> <code>${one.barrier}</code>
      <span class="soft">${clock(one.triggeredMs)}, ${ago(one.triggeredMs, now)}</span><span class="room"></span>
      <span data-tip="From the trigger to the last commit."><b>${digits}</b> <span class="unit">${unit}</span></span>
      <span class="soft" data-tip="Full size: the snapshots in the record, and all state files that they name. Incremental: the record, and what was written for this checkpoint." data-testid="checkpoint-size">${bytes(one.bytes + one.stateBytes)} full · ${bytes(one.bytes + one.writtenBytes)} new</span></p>
    ${
      one.aborted
        ? html`<p class="told" data-tone="bad">${one.aborted}</p>`
        : html`
    <div class="phases" role="img" aria-label=${all.map(([name, , ms]) => `${name} ${spanText(ms)}`).join(", ")}>
      ${all.map(([name, tone, ms]) => html`<i key=${name} style=${{ width: `${(100 * ms) / sum}%`, background: `var(${tone})` }}></i>`)}</div>
    <p class="keys">${all.map(([name, tone, ms, tip]) => html`<span class="key" key=${name} data-tip=${tip}><i style=${{ background: `var(${tone})` }}></i>${name} <b>${spanText(ms)}</b></span>`)}
      ${one.overtookBytes === null ? null : html`<span class="key" data-tip="Rows in flight that the barrier overtook under back-pressure; they are in the snapshot.">overtook <b>${bytes(one.overtookBytes)}</b></span>`}</p>`
    }
  </div>`;
}
