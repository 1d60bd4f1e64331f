// The page begins here: the bar at the top, and below it the view that its address names.

import { html, render, signal, useEffect } from "./html.js";
import { follow, link } from "./live.js";
import { route } from "./route.js";
import { theme, turnTheme } from "./theme.js";
import { watchTips } from "./parts/tip.js";
import { Overview } from "./overview/overview.js";
import { TaskManagers } from "./taskmanagers/taskmanagers.js";
import { Job } from "./job/job.js";
import { Connectors } from "./connectors/connectors.js";
import { New } from "./document/new.js";
import { Login } from "./login.js";
import { locked } from "./token.js";

/** The overview, where it is what is looked at. */
const overview = signal(null);

const LINKS = {
  live: ["live", "The page hears from the job manager every second."],
  connecting: ["connecting", "The page is being connected to the job manager."],
  lost: [
    "connection lost",
    "The job manager does not answer; the page tries again by itself. What is shown is the last that was heard.",
  ],
  paused: ["paused", "Nothing is asked for while the page is not looked at."],
};

function Bar() {
  const { view } = route.value;
  const [word, tip] = LINKS[link.value] || [];
  const other = theme.value === "dark" ? "light" : "dark";
  const current = (name) => (view === name || (name === "overview" && view === "job") ? "page" : undefined);
  return html`<header class="bar">
    <a class="mark" href="#/" aria-label="Weir, overview"><img src="/ui/weir.svg" alt="" width="20" height="20" />Weir</a>
    <nav aria-label="Views">
      <a href="#/" aria-current=${current("overview")}>Datastreams</a>
      <a href="#/taskmanagers" aria-current=${current("taskmanagers")}>Task managers</a>
      <a href="#/connectors" aria-current=${current("connectors")}>Connectors</a>
      <a href="#/new" aria-current=${current("new")} data-testid="new">New</a>
    </nav>
    <span class="room"></span>
    ${word ? html`<span class="link" data-link=${link.value} data-tip=${tip} role="status"><i></i>${word}</span>` : null}
    <button class="quiet icon" onClick=${turnTheme} aria-label=${`Use the ${other} theme`} data-tip=${`Use the ${other} theme`}>
      ${theme.value === "dark" ? "☀" : "☾"}
    </button>
  </header>`;
}

const TITLES = { taskmanagers: "Task managers", new: "New datastream", connectors: "Connectors" };

/** The two views that show the whole cluster share one stream. */
function Whole({ view }) {
  useEffect(() => follow("/v1/stream", (heard) => (overview.value = heard)), []);
  const heard = overview.value;
  if (!heard) return html`<main class="page"><p class="empty">Asking the job manager …</p></main>`;
  return view === "taskmanagers" ? html`<${TaskManagers} overview=${heard} />` : html`<${Overview} overview=${heard} />`;
}

function App() {
  const { view, name } = route.value;
  useEffect(() => {
    const title = view === "job" ? name : TITLES[view];
    document.title = title ? `${title} · Weir` : "Weir";
    if (view !== "taskmanagers") scrollTo(0, 0);
  }, [view, name]);
  return html`<a class="skip" href="#main" onClick=${skip}>To the content</a>
    <${Bar} />
    ${locked.value !== "no" ? html`<${Login} />` : html`<${Shown} view=${view} name=${name} />`}`;
}

function Shown({ view, name }) {
  if (view === "job") return html`<${Job} key=${name} name=${name} />`;
  if (view === "connectors") return html`<${Connectors} />`;
  if (view === "new") return html`<${New} />`;
  return html`<${Whole} view=${view} />`;
}

/** The address belongs to the views; the focus goes to the content. @param {Event} event */
function skip(event) {
  event.preventDefault();
  const main = document.querySelector("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
watchTips();
