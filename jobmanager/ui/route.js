// Where the page is: every view has an address that can be kept and sent.
//
//   #/                      the overview
//   #/datastreams/NAME      one datastream; ?tab=logs for a part of it
//   #/taskmanagers          the task managers
//   #/new                   a new datastream
//   #/connectors/NAME       a connector, format or step

import { signal } from "./html.js";

/** The views beside that of a datastream. */
const VIEWS = ["overview", "taskmanagers", "new", "connectors"];

/** @typedef {{ view: string, name: string, tab: string, query: URLSearchParams }} Route */

/** @returns {Route} */
function parse() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  const asked = new URLSearchParams(query);
  const name = parts[1] ? decoded(parts[1]) : "";
  const named = parts[0] === "datastreams" && name;
  const view = named ? "job" : VIEWS.includes(parts[0]) ? parts[0] : "overview";
  return { view, name, tab: asked.get("tab") || "steps", query: asked };
}

/** A name that is no name leads to a datastream that does not exist. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal(parse());
addEventListener("hashchange", () => (route.value = parse()));

/** @param {string} name @param {string} [tab] @param {Record<string, string | number>} [more] */
export function toJob(name, tab, more = {}) {
  const words = Object.entries(more).map(([key, value]) => [key, String(value)]);
  const query = new URLSearchParams([...(tab ? [["tab", tab]] : []), ...words]);
  return `#/datastreams/${encodeURIComponent(name)}${query.size ? `?${query}` : ""}`;
}
