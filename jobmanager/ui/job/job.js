// One datastream from top to bottom: is it well, how fresh, where does it wait, what has happened, what was written.

import { html, signal, useEffect, useMemo, useState } from "../html.js";
import { follow } from "../live.js";
import { path, read, readText } from "../rest.js";
import { route } from "../route.js";
import { Header } from "./header.js";
import { Findings } from "./findings.js";
import { Tiles } from "./tiles.js";
import { Graph } from "./graph.js";
import { Side } from "./side.js";
import { Charts } from "./charts.js";
import { Lag } from "../lag/lag.js";
import { isOver } from "../parts/state.js";
import { Checkpoints } from "./checkpoints.js";
import { Tabs } from "./tabs.js";
import { append } from "./past.js";

/** @param {{ name: string }} props */
export function Job({ name }) {
  const [problem, setProblem] = useState(null);
  const [chosen, choose] = useState(null);
  // Of this one view; another datastream has its own.
  const own = useMemo(() => ({ live: signal(null), past: signal(null), text: signal("") }), []);
  useEffect(() => {
    let close = () => {};
    let gone = false;
    const begin = async () => {
      // Both at once: of a large one each takes its time.
      close = follow(`${path(name)}/stream`, (view) => {
        own.live.value = view;
        if (own.past.value) own.past.value = append(own.past.value, view);
      });
      try {
        const past = await read(`${path(name)}/series`);
        if (!gone) own.past.value = past;
      } catch (error) {
        close();
        setProblem(error);
      }
    };
    begin();
    return () => {
      gone = true;
      close();
    };
  }, [name]);
  const job = own.live.value?.datastream.summary.job;
  const generation = own.live.value?.datastream.generation;
  useEffect(() => {
    if (job)
      readText(`${path(name)}/document`).then(
        (text) => (own.text.value = text),
        () => {},
      );
  }, [job, generation]);
  if (problem) return html`<${Unknown} name=${name} problem=${problem} />`;
  if (!own.live.value || !own.past.value) return html`<main class="page" id="main"><p class="empty">Asking the job manager …</p></main>`;
  return html`<${Body} live=${own.live.value} past=${own.past.value} text=${own.text.value} chosen=${chosen} choose=${choose} />`;
}

function Body({ live, past, text, chosen, choose }) {
  const { datastream, nowMs } = live;
  const known = datastream.vertices.length > 0;
  // Who writes needs room, and not what happens meanwhile.
  if (route.value.query.has("edit")) {
    return html`<main class="page job" id="main"><${Header} datastream=${datastream} now=${nowMs} />
      <${Tabs} datastream=${datastream} text=${text} now=${nowMs} /></main>`;
  }
  return html`<main class="page job" id="main">
    <${Header} datastream=${datastream} now=${nowMs} />
    <${Findings} datastream=${datastream} now=${nowMs} choose=${choose} />
    ${known ? null : html`<p class="empty">It ended before this job manager began, which does not know its counts any more.</p>`}
    ${
      known
        ? html`<${Tiles} datastream=${datastream} now=${nowMs} />
      <div class="split">
        <${Graph} datastream=${datastream} chosen=${chosen} choose=${choose} now=${nowMs} />
        <${Side} datastream=${datastream} chosen=${chosen} choose=${choose} now=${nowMs} />
      </div>
      <${Charts} past=${past} datastream=${datastream} now=${nowMs} />
      <${Lag} name=${datastream.summary.name} over=${isOver(datastream.summary.state)} />
      <${Checkpoints} checkpoints=${datastream.checkpoints} now=${nowMs} />`
        : null
    }
    <${Tabs} datastream=${datastream} text=${text} now=${nowMs} />
  </main>`;
}

function Unknown({ name, problem }) {
  return html`<main class="page" id="main"><div class="empty">
    <h1>${name}</h1><p>${problem.message}</p>${problem.help ? html`<p class="soft">${problem.help}</p>` : null}
    <p><a href="#/">All datastreams</a></p>
  </div></main>`;
}
