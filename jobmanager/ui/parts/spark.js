// A line of the last minute, as small as a word.

import { html } from "../html.js";

/** @param {{ values: number[], label: string }} props */
export function Spark({ values, label }) {
  const width = 64;
  const height = 18;
  if (values.length < 2) return html`<svg class="spark" width=${width} height=${height} aria-hidden="true"></svg>`;
  const top = Math.max(...values) || 1;
  const step = width / Math.max(30, values.length - 1);
  const from = width - step * (values.length - 1);
  const points = values.map(
    (value, index) => `${(from + index * step).toFixed(1)},${(height - 1.5 - (value / top) * (height - 4)).toFixed(1)}`,
  );
  const last = points[points.length - 1];
  return html`<svg class="spark" width=${width} height=${height} role="img" aria-label=${label}>
    <polygon points=${`${from.toFixed(1)},${height} ${points.join(" ")} ${last.split(",")[0]},${height}`} />
    <polyline points=${points.join(" ")} />
  </svg>`;
}
