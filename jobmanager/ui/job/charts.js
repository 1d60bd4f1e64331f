// How it did lately: rates, freshness and back-pressure over a quarter of an hour, with marks where something happened.

import { html, useEffect, useRef } from "../html.js";
import uPlot from "../vendor/uplot.js";
import { colour, theme } from "../theme.js";
import { clock, joined, measure, percent, spanText } from "../words.js";

/** It comes without types. */
const Plot = /** @type {any} */ (uPlot);

const HEIGHT = 132;
const SYNC = "weir";

/** Two lines further apart than this have nothing between them: nobody was there to count. */
const GAP_S = 8;

/** @param {{ past: any, datastream: any, now: number }} props */
export function Charts({ past, datastream }) {
  const times = past.atMs.map((ms) => ms / 1000);
  const marks = datastream.exceptions
    .map((one) => ({ at: one.atMs / 1000, tone: "--bad" }))
    .concat(datastream.operations.map((one) => ({ at: one.sinceMs / 1000, tone: "--note" })));
  const fresh = past.freshnessMs.some((one) => one !== null);
  return html`<div class="charts">
    <${Chart} title="Rows" tip="Rows a second from the sources and to the sinks, every two seconds." times=${times} marks=${marks}
      lines=${[
        ["in", "--busy", past.rowsInRate],
        ["out", "--good", past.rowsOutRate],
      ]} show=${(value) => joined(measure(value, "/s"))} />
    ${
      fresh
        ? html`<${Chart} title="Freshness" tip="Now minus the lowest event time at the sinks, every two seconds." times=${times} marks=${marks}
          lines=${[["age", "--busy", past.freshnessMs]]} show=${spanText} />`
        : html`<${Chart} title="Input" tip="Bytes of input a second, every two seconds." times=${times} marks=${marks}
          lines=${[["read", "--busy", past.bytesRate]]} show=${(value) => joined(measure(value, "B/s"))} />`
    }
    <${Chart} title="Held up" tip="The highest share of back-pressure among its subtasks, every two seconds." times=${times} marks=${marks}
      lines=${[["most", "--pressed", past.backpressured]]} show=${percent} range=${[0, 1]} />
  </div>`;
}

function options({ lines, show, range }, marks, width) {
  const soft = colour("--soft");
  const axis = {
    stroke: soft,
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: SYNC }, y: false, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 26, 0, 0],
    scales: {
      x: { time: true },
      y: { range: range ? () => range : (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 8,
        space: 80,
        values: (_, ticks) => ticks.map((tick) => clock(tick * 1000).slice(0, ticks[1] - ticks[0] < 60 ? 8 : 5)),
      },
      { ...axis, size: 62, space: 34, values: (_, ticks) => ticks.map((tick) => show(tick)) },
    ],
    series: [
      {},
      ...lines.map(([label, tone], index) => ({
        label,
        stroke: colour(tone),
        width: 1.5,
        fill: index === 0 ? `${colour(tone)}1c` : undefined,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { draw: [(plot) => mark(plot, marks.current)] },
  };
}

/** Failures and what was asked for, as lines from top to bottom. @param {any} plot @param {any[]} marks */
function mark(plot, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { at, tone } of marks) {
    const x = Math.round(plot.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(tone);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** The columns with a hole wherever nothing was heard for long. @param {number[]} times @param {any[]} lines */
function columns(times, lines) {
  const data = [[], ...lines.map(() => [])];
  times.forEach((time, index) => {
    if (index && time - times[index - 1] > GAP_S) {
      data[0].push((time + times[index - 1]) / 2);
      lines.forEach((_, line) => data[line + 1].push(null));
    }
    data[0].push(time);
    lines.forEach(([, , values], line) => data[line + 1].push(values[index]));
  });
  return data;
}

export function Chart({ title, tip, times, lines, show, range, marks }) {
  const place = useRef(null);
  const plot = useRef(null);
  const kept = useRef(marks);
  kept.current = marks;
  const shown = theme.value;
  const data = columns(times, lines);
  useEffect(() => {
    const box = place.current;
    const drawn = new Plot(options({ lines, show, range }, kept, Math.max(120, box.clientWidth)), data, box);
    plot.current = drawn;
    const watch = new ResizeObserver(() => {
      const width = box.clientWidth;
      if (width && Math.abs(width - drawn.width) > 1) drawn.setSize({ width, height: HEIGHT });
    });
    watch.observe(box);
    return () => {
      watch.disconnect();
      drawn.destroy();
    };
  }, [shown, title]);
  const last = times[times.length - 1];
  useEffect(() => plot.current?.setData(data), [last, times.length]);
  return html`<section class="panel chart" aria-label=${title}>
    <div class="filter"><h2 data-tip=${tip}>${title}</h2><span class="room"></span>
      ${lines.map(
        ([label, tone, values]) => html`<span class="key" key=${label}><i style=${{ background: `var(${tone})` }}></i>${label}
        <b>${show(values[values.length - 1])}</b></span>`,
      )}</div>
    ${times.length < 2 ? html`<p class="empty over">Nothing was counted.</p>` : null}
    <div class="plot" ref=${place} data-empty=${times.length < 2}></div>
  </section>`;
}
