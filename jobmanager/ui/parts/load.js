// What a subtask does with its time: at work, held up by those behind it, or without anything to do.

import { html } from "../html.js";
import { percent } from "../words.js";

const TIP =
  "Of the last one to two seconds: blue at work, hatched held up by those behind it, empty without anything to do. Counted by the subtask's own thread.";

/** @param {{ busy: number, backpressured: number, most?: number, wide?: boolean }} props */
export function Load({ busy, backpressured, most }) {
  const width = (share) => ({ width: `${Math.max(0, Math.min(100, share * 100)).toFixed(1)}%` });
  const pressed = Math.min(backpressured, 1 - Math.min(busy, 1));
  return html`<span class="load" data-tip=${TIP} data-hot=${busy > 0.8} role="img"
    aria-label=${`${percent(busy)} at work, ${percent(backpressured)} held up`}>
    <i class="busy" style=${width(busy)}></i><i class="pressed" style=${width(pressed)}></i>
    ${most === undefined ? null : html`<i class="most" style=${{ left: `${Math.min(99, most * 100).toFixed(1)}%` }}></i>`}
  </span>`;
}

/** The mean and the highest of a share. @param {any[]} subtasks @param {string} what */
export function shares(subtasks, what) {
  if (!subtasks.length) return { mean: 0, most: 0 };
  const all = subtasks.map((one) => one[what]);
  return { mean: all.reduce((sum, one) => sum + one, 0) / all.length, most: Math.max(...all) };
}
