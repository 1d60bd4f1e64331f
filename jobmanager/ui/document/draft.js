// What somebody is writing: it outlives other views and a reload of the page, and ends with the browser's tab.

/** A new one is under no name. @param {string} name */
const key = (name) => `weir.draft.${name}`;

/** @param {string} name @returns {string | null} */
export function draftOf(name) {
  try {
    return sessionStorage.getItem(key(name));
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} text */
export function keepDraft(name, text) {
  try {
    if (text === null) sessionStorage.removeItem(key(name));
    else sessionStorage.setItem(key(name), text);
  } catch {
    // Too large, or not allowed: it is lost with the view, and nothing else.
  }
}

/** What a new document begins as. */
export const STARTER = `datastreamName: my-events
contactName: my-team
desiredState: ON
sources:
  - name: events
    generator: { events: shop, rate: 1000 }
eventTypeFilters: [PURCHASE, CHECKOUT]
sinks:
  - blackhole: {}
`;
