// A state as a word with a colour and a shape: it can be told apart without the colour.

import { html } from "../html.js";

/** How each state is meant. @type {Record<string, [string, string]>} */
const MEANING = {
  created: ["wait", "Known, and nothing done yet."],
  scheduling: ["wait", "Looks for slots."],
  deploying: ["wait", "Its subtasks are being started."],
  running: ["good", "At work."],
  restarting: ["bad", "Waits after a failure, to be started again."],
  changing: ["wait", "Takes a checkpoint, to go on with another document or parallelism."],
  finishing: ["wait", "Its input has ended; the last checkpoint is under way."],
  finished: ["over", "Its input has ended and everything is committed."],
  stopping: ["wait", "Takes its last checkpoint, to stop."],
  stopped: ["over", "Stopped; its state is kept."],
  cancelling: ["wait", "Being cancelled."],
  cancelled: ["over", "Cancelled; nothing is committed behind the last checkpoint."],
  failing: ["bad", "Its subtasks are being taken down after a failure that ends it."],
  failed: ["bad", "Failed, and not to be tried again by itself."],
};

/** @param {string} state */
export const toneOf = (state) => (MEANING[state] || ["wait"])[0];
/** Whether nothing will happen any more without a person. @param {string} state */
export const isOver = (state) => ["finished", "stopped", "cancelled", "failed"].includes(state);

export function State({ state }) {
  const [tone, tip] = MEANING[state] || ["wait", ""];
  return html`<span class="state" data-tone=${tone} data-tip=${tip} data-testid="state"><i></i>${state}</span>`;
}
