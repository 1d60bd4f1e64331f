// A question that is asked once: the browser's own dialog, which holds the focus and closes by Escape.

import { html, useLayoutEffect, useRef } from "../html.js";

/** @param {{ title: string, close: () => void, wide?: boolean, children?: any }} props */
export function Dialog({ title, close, wide = false, children }) {
  const element = useRef(null);
  // With the elements themselves, not a frame later: a key pressed at once after the click is the question's.
  useLayoutEffect(() => {
    element.current?.showModal();
  }, []);
  const outside = (event) => event.target === element.current && close();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} onClose=${close} onClick=${outside} aria-labelledby="dialog-title">
    <h2 id="dialog-title">${title}</h2>${children}
  </dialog>`;
}
