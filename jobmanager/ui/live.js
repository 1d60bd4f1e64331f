// What changes from second to second: one stream of events for the view that is open, closed while nobody looks.

import { signal } from "./html.js";

/** How the stream is: `connecting`, `live`, `lost`, `paused`; `none` where a view has none. */
export const link = signal("none");

/**
 * Follows a stream for as long as the page can be seen. A browser has six connections to a server: pages in other tabs must
 * not hold them.
 * @param {string} url
 * @param {(view: any) => void} hear
 * @returns {() => void} ends it
 */
export function follow(url, hear) {
  /** @type {EventSource | null} */
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    link.value = "connecting";
    source = new EventSource(url);
    source.addEventListener("view", (event) => {
      link.value = "live";
      const view = JSON.parse(event.data);
      if (view) hear(view);
    });
    // The browser tries again by itself, unless the answer was a refusal.
    source.onerror = () => {
      link.value = "lost";
      if (source && source.readyState === EventSource.CLOSED) again();
    };
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  let timer = 0;
  const again = () => {
    close();
    clearTimeout(timer);
    timer = setTimeout(open, 2000);
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
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
    close();
    link.value = "none";
  };
}
