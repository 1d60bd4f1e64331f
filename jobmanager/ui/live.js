// What changes from second to second: one stream of events for the view that is open, closed while nobody looks.
//
// Read by `fetch` and not by an EventSource, which cannot show a token.

import { signal } from "./html.js";
import { listen } from "./rest.js";
import { locked } from "./token.js";

/** How the stream is: `connecting`, `live`, `lost`, `paused`; `none` where a view has none. */
export const link = signal("none");

/** Between two tries. */
const AGAIN_MS = 2000;

/**
 * Follows a stream for as long as the page can be seen. A browser has six connections to a server: pages in other tabs must
 * not hold them.
 * @param {string} url
 * @param {(view: any) => void} hear
 * @returns {() => void} ends it
 */
export function follow(url, hear) {
  /** @type {AbortController | null} */
  let source = null;
  let timer = 0;
  const open = () => {
    clearTimeout(timer);
    if (source || document.hidden) return;
    if (link.value !== "live") link.value = "connecting";
    source = new AbortController();
    read(source);
  };
  /** @param {AbortController} own */
  const read = async (own) => {
    let heard = false;
    try {
      for await (const [event, data] of events(listen(url, own.signal))) {
        if (event !== "view") continue;
        heard = true;
        link.value = "live";
        const view = JSON.parse(data);
        if (view) hear(view);
      }
    } catch {
      heard = false;
    }
    if (source !== own) return;
    source = null;
    // Who has to show who they are is asked; a stream that has ended in peace is opened anew, to show the token again.
    if (locked.value !== "no") return;
    if (!heard) link.value = "lost";
    timer = setTimeout(open, heard ? 0 : AGAIN_MS);
  };
  const close = () => {
    clearTimeout(timer);
    if (source) source.abort();
    source = null;
  };
  const turn = () => {
    if (document.hidden) {
      close();
      link.value = "paused";
    } else {
      open();
    }
  };
  document.addEventListener("visibilitychange", turn);
  open();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    close();
    link.value = "none";
  };
}

/** The events in a text that comes in parts, each with its name and its data. @param {AsyncIterable<string>} parts */
export async function* events(parts) {
  let waiting = "";
  for await (const part of parts) {
    const whole = (waiting + part).split("\n\n");
    waiting = whole.pop() || "";
    for (const event of whole) {
      const lines = event.split("\n");
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      const name = lines.find((line) => line.startsWith("event:"));
      if (data.length && name) yield [name.slice(6).trim(), data.join("\n")];
    }
  }
}
