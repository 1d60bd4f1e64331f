// The token that this tab shows to the job manager: kept in the tab alone, sent as a header, never as a cookie.

import { signal } from "./html.js";

const KEY = "weir.token";

/** Where the browser keeps nothing, it is kept until the page is left. @returns {string} */
function kept() {
  try {
    return sessionStorage.getItem(KEY) || "";
  } catch {
    return "";
  }
}

const token = signal(kept());

/** Whether the job manager asks who looks: `no`, `asks`, or `wrong` where it did not know the token that was given. */
export const locked = signal("no");

/** What goes with every question. @returns {Record<string, string>} */
export const shown = () => (token.value ? { Authorization: `Bearer ${token.value}` } : {});

/** Another one from now on. @param {string} given */
export function take(given) {
  token.value = given.trim();
  try {
    sessionStorage.setItem(KEY, token.value);
  } catch {
    // It is kept until the page is left.
  }
  locked.value = "no";
}

/** The job manager does not know it, or there is none. */
export function forget() {
  locked.value = token.value ? "wrong" : "asks";
  token.value = "";
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // It was never kept.
  }
}
