// The graph: a box for each vertex with what its threads do, a line for each hand-over with its rate.

import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { Load, shares } from "../parts/load.js";
import { bytes, exact, isTime, percent, rate, spanText } from "../words.js";
import { HEIGHT, kinds, layout, route, title, WIDTH } from "./layout.js";

const SCALE_MIN = 0.62;

/** @param {{ datastream: any, chosen: string | null, choose: (id: string | null) => void, now: number }} props */
export function Graph({ datastream, chosen, choose, now }) {
  const { vertices, edges } = datastream;
  const shape = vertices.map((vertex) => vertex.id).join() + edges.map((edge) => edge.from + edge.to).join();
  const laid = useMemo(() => layout(vertices, edges), [shape]);
  const flows = together(edges);
  const [room, setRoom] = useState(0);
  const frame = useRef(null);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setRoom(entry.contentRect.width));
    watch.observe(frame.current);
    return () => watch.disconnect();
  }, []);
  const scale = room ? Math.max(SCALE_MIN, Math.min(1, room / laid.width)) : 1;
  const size = { width: `${laid.width}px`, height: `${laid.height}px`, transform: `scale(${scale})` };
  const outer = { height: `${Math.ceil(laid.height * scale)}px`, width: `${Math.ceil(laid.width * scale)}px` };
  const most = Math.max(1, ...[...flows.values()].map((flow) => flow.rowsRate || 0));
  return html`<section class="panel graph" aria-label="Graph">
    <div class="filter"><h2>Graph</h2>
      <span class="legend soft" aria-hidden="true"><i class="busy"></i>at work <i class="pressed"></i>held up <i class="rest"></i>nothing to do</span></div>
    <div class="scroll frame" ref=${frame}>
      <div class="outer" style=${outer}><div class="canvas" style=${size} data-many=${vertices.length > 60}>
        <svg width=${laid.width} height=${laid.height} aria-hidden="true">
          <defs><marker id="arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z" /></marker></defs>
          ${laid.lines.map((line) => html`<${Line} key=${line.key} line=${line} places=${laid.places} rowsRate=${flows.get(line.key)?.rowsRate} most=${most} />`)}
        </svg>
        ${laid.lines.map((line) => html`<${Label} key=${line.key} line=${line} places=${laid.places} flow=${flows.get(line.key)} />`)}
        ${vertices.map(
          (vertex) => html`<${Box} key=${vertex.id} vertex=${vertex} place=${laid.places.get(vertex.id)}
          chosen=${chosen === vertex.id} choose=${choose} now=${now} />`,
        )}
      </div></div>
    </div>
  </section>`;
}

/** Rate and backlog of what is drawn as one line. @param {any[]} edges */
function together(edges) {
  const flows = new Map();
  for (const { from, to, rowsRate, backlogBytes } of edges) {
    const key = `${from} ${to}`;
    const sum = flows.get(key) || { rowsRate: null, backlogBytes: 0 };
    flows.set(key, {
      rowsRate: rowsRate === null ? sum.rowsRate : (sum.rowsRate || 0) + rowsRate,
      backlogBytes: sum.backlogBytes + backlogBytes,
    });
  }
  return flows;
}

function Line({ line, places, rowsRate, most }) {
  const { path } = route(line, places);
  const width = 1.2 + 1.8 * Math.sqrt(Math.max(0, rowsRate || 0) / most);
  return html`<path class="edge" d=${path} stroke-width=${width.toFixed(2)} data-quiet=${!rowsRate} marker-end="url(#arrow)" />`;
}

const DEALT = {
  forward: "Each subtask hands its rows to the one of its own number.",
  rebalance: "Rows are dealt out in turn.",
  hash: "Rows of one key go to one subtask.",
  broadcast: "Every subtask gets every row.",
};

function Label({ line, places, flow }) {
  const { rowsRate, backlogBytes } = flow || { rowsRate: null, backlogBytes: 0 };
  const { middle } = route(line, places);
  const partitions = [...line.partitions];
  const counted =
    rowsRate === null
      ? "Its senders have not said yet how much they hand to it."
      : `Rows a second that its senders hand to it, over the last one to two seconds. ${exact(backlogBytes)} bytes wait in them for credit or for company.`;
  const tip = `${partitions.map((one) => `${one}: ${DEALT[one] || ""}`).join(" ")} ${counted}`;
  return html`<span class="rate" style=${{ left: `${middle[0]}px`, top: `${middle[1]}px` }} data-tip=${tip} data-testid="edge">
    ${rowsRate === null ? "" : html`<b>${rate(rowsRate)}</b>`}<small>${backlogBytes ? html`<span class="waits">${bytes(backlogBytes)} wait</span> · ` : ""}${partitions.join(", ")}</small></span>`;
}

/** How a vertex is, in one word for its frame. @param {any} vertex @param {any} busy @param {any} pressed */
function tone(vertex, busy, pressed) {
  if (vertex.subtasks.some((one) => one.state === "failed" || one.state === "lost")) return "bad";
  if (pressed.most > 0.5) return "warn";
  return busy.most > 0.8 ? "hot" : "";
}

function Box({ vertex, place, chosen, choose, now }) {
  const busy = shares(vertex.subtasks, "busy");
  const pressed = shares(vertex.subtasks, "backpressured");
  const name = title(vertex);
  const style = {
    left: `${place.x - WIDTH / 2}px`,
    top: `${place.y - HEIGHT / 2}px`,
    width: `${WIDTH}px`,
    height: `${HEIGHT}px`,
  };
  return html`<button class="vertex" style=${style} data-tone=${tone(vertex, busy, pressed)} aria-pressed=${chosen} data-testid="vertex" data-vertex=${vertex.id}
    onClick=${() => choose(chosen ? null : vertex.id)}>
    <span class="name"><b title=${vertex.name}>${name}</b><span class="times" data-tip="Its parallelism: how many subtasks it has.">×${vertex.parallelism}</span></span>
    <span class="kinds">${kinds(vertex)}</span>
    <${Load} busy=${busy.mean} backpressured=${pressed.mean} most=${vertex.parallelism > 1 ? busy.most : undefined} />
    <span class="words"><span>busy <b>${percent(busy.mean)}</b></span>
      ${pressed.most > 0.05 ? html`<span class="up">held up <b>${percent(pressed.mean)}</b></span>` : null}
      ${pressed.most > 0.05 ? null : html`<span class="age">${age(vertex, now)}</span>`}</span>
  </button>`;
}

/** How old the event time is that its last step has come to. @param {any} vertex @param {number} now */
function age(vertex, now) {
  const times = vertex.steps.map((step) => step.watermarkMs).filter(isTime);
  if (!times.length) return null;
  return html`<span data-tip="Now minus the event time that its last step has come to.">◷ ${spanText(Math.max(0, now - times[times.length - 1]))}</span>`;
}
