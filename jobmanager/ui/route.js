// Where the page is: every view has an address that can be kept and sent.
//
//   #/                      the overview
//   #/datastreams/NAME      one datastream; ?tab=logs for a part of it
//   #/taskmanagers          the task managers

import { signal } from "./html.js";

/** @typedef {{ view: "overview" } | { view: "job", name: string, tab: string } | { view: "taskmanagers" }} Route */

/** @returns {Route} */
function parse() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  if (parts[0] === "datastreams" && parts[1]) {
    return { view: "job", name: decoded(parts[1]), tab: new URLSearchParams(query).get("tab") || "steps" };
  }
  return { view: parts[0] === "taskmanagers" ? "taskmanagers" : "overview" };
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

/** @param {string} name @param {string} [tab] */
export const toJob = (name, tab) => `#/datastreams/${encodeURIComponent(name)}${tab ? `?tab=${tab}` : ""}`;
