// Which datastreams are shown, and in what order: those that need somebody come first.

import { toneOf } from "../parts/state.js";
import { backlog } from "./row.js";

/** @typedef {{ text: string, tone: string, by: string, down: boolean }} Choice */

const RANK = { bad: 0, wait: 1, good: 2, over: 3 };

/** What a column sorts by. @type {Record<string, (one: any) => any>} */
const KEYS = {
  state: (one) => RANK[toneOf(one.state)],
  name: (one) => one.name,
  contact: (one) => one.contact || "",
  in: (one) => -one.progress.rowsInRate,
  out: (one) => -one.progress.rowsOutRate,
  freshness: (one) => one.watermarkMs ?? Number.MAX_SAFE_INTEGER,
  backlog: (one) => -backlog(one),
  checkpoint: (one) => one.lastCheckpoint?.triggeredMs ?? Number.MAX_SAFE_INTEGER,
  dead: (one) => -one.progress.deadLetters,
  missing: (one) => (one.missing ? -one.missing.rows : 1),
  restarts: (one) => -one.restarts,
};

/** @param {any[]} all @param {Choice} choice */
export function chosen(all, choice) {
  const words = choice.text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) => {
    const text = `${one.name} ${one.contact || ""} ${one.state}`.toLowerCase();
    return (choice.tone === "all" || toneOf(one.state) === choice.tone) && words.every((word) => text.includes(word));
  };
  const key = KEYS[choice.by] || KEYS.state;
  const compare = (one, other) => {
    const [a, b] = [key(one), key(other)];
    const order = a < b ? -1 : a > b ? 1 : one.name < other.name ? -1 : 1;
    return choice.down ? -order : order;
  };
  return all.filter(fits).sort(compare);
}

/** How many there are of each tone. @param {any[]} all */
export function tally(all) {
  const counts = { all: all.length, bad: 0, wait: 0, good: 0, over: 0 };
  for (const one of all) counts[toneOf(one.state)] += 1;
  return counts;
}
