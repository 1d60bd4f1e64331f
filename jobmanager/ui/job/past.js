// How a datastream did lately: what the job manager kept, and behind it what was heard since the page was opened.

/** From one line to the next, as the job manager keeps them. */
const SPAN_MS = 2_000;
const KEPT = 450;

/** Adds a view as a line, where the last one is old enough. @param {any} past @param {any} view */
export function append(past, view) {
  const { nowMs, datastream } = view;
  const { progress, watermarkMs, state } = datastream.summary;
  const last = past.atMs[past.atMs.length - 1] ?? 0;
  if (nowMs - last < SPAN_MS || ["finished", "stopped", "cancelled", "failed"].includes(state)) return past;
  const pressed = datastream.vertices.flatMap((vertex) => vertex.subtasks.map((one) => one.backpressured));
  const line = {
    atMs: nowMs,
    rowsInRate: progress.rowsInRate,
    rowsOutRate: progress.rowsOutRate,
    bytesRate: progress.bytesRate,
    freshnessMs: watermarkMs === null ? null : nowMs - watermarkMs,
    backpressured: Math.max(0, ...pressed),
  };
  const grown = {};
  for (const column of Object.keys(line)) grown[column] = [...past[column], line[column]].slice(-KEPT);
  return grown;
}
