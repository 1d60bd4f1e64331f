// Sentences of the job manager: names between backticks are set as names, and everything stays text.

import { html } from "../html.js";

/** @param {string} text */
export const ticked = (text) => text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

/** @param {{ text: string }} props */
export const Ticked = ({ text }) => html`${ticked(text)}`;
