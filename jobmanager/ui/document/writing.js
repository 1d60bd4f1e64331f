// A document that is being written: the editor on one side, what is wrong or what would come of it on the other.

import { html, useState } from "../html.js";
import { toJob } from "../route.js";
import { Ask, buttonOf } from "./ask.js";
import { keepDraft } from "./draft.js";
import { Editor } from "./editor.js";
import { Findings } from "./findings.js";
import { Prospect } from "./prospect.js";
import { findingsOf, hasErrors, useReview } from "./review.js";

/** @param {{ begin: string, draft: string, title: any, tools?: any }} props */
export function Writing({ begin, draft, title, tools = null }) {
  const [text, setText] = useState(begin);
  const [goal, setGoal] = useState(null);
  const [asked, ask] = useState(false);
  const { review, busy, problem } = useReview(text);
  const findings = findingsOf(review);
  const documents = review?.documents || [];
  const change = (value) => {
    setText(value);
    keepDraft(draft, value);
  };
  const button = buttonOf(documents);
  const ready = !busy && documents.length > 0 && !hasErrors(findings) && button;
  const done = (taken) => {
    location.hash = taken.length === 1 ? toJob(taken[0].name, taken[0].operation ? "operations" : undefined) : "#/";
  };
  return html`<div class="filter inner">${title}<span class="room"></span>
      <${Verdict} busy=${busy} problem=${problem} findings=${findings} documents=${documents} />
      ${tools}<button class="primary" disabled=${!ready} onClick=${() => ask(true)} data-testid="send">${button || "Submit"} …</button></div>
    <div class="writing">
      <${Editor} text=${text} change=${change} findings=${findings} goal=${goal} label="The document, in YAML" />
      <aside class="beside" aria-label="What would come of it">
        ${problem ? html`<p class="told" data-tone="bad">${problem.message} <span>${problem.help || ""}</span></p>` : null}
        ${findings.length ? html`<${Findings} findings=${findings} go=${(one) => setGoal({ ...one })} />` : null}
        ${documents.map((one) => html`<${Prospect} key=${one.name} one=${one} />`)}
        ${!review && !problem ? html`<p class="empty">Looking at it …</p>` : null}
      </aside>
    </div>
    ${asked ? html`<${Ask} text=${text} documents=${documents} draft=${draft} close=${() => ask(false)} done=${done} />` : null}`;
}

/** In a word whether it can run. */
function Verdict({ busy, problem, findings, documents }) {
  const errors = findings.filter((one) => one.severity === "error").length;
  const warnings = findings.length - errors;
  const many = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const [tone, word] = busy
    ? ["wait", "looking"]
    : problem
      ? ["bad", "not looked at"]
      : errors
        ? ["bad", many(errors, "error")]
        : !documents.length
          ? ["over", "empty"]
          : warnings
            ? ["wait", many(warnings, "warning")]
            : ["good", "no mistakes"];
  return html`<span class="state" data-tone=${tone} role="status" data-testid="validity"><i></i>${word}</span>`;
}
