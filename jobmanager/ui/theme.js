// Light or dark: as the machine has it, or as it was chosen here.

import { effect, signal } from "./html.js";

const KEY = "weir.theme";
const machine = matchMedia("(prefers-color-scheme: dark)");

/** A browser may forbid to keep anything. */
function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** `light`, `dark`, or null for as the machine has it. */
const chosen = signal(kept());
const dark = signal(machine.matches);
machine.addEventListener("change", () => (dark.value = machine.matches));

/** The theme that is shown: charts draw themselves anew when it changes. */
export const theme = signal("light");
effect(() => {
  const shown = chosen.value === "dark" || (chosen.value !== "light" && dark.value) ? "dark" : "light";
  document.documentElement.dataset.theme = shown;
  theme.value = shown;
});

/** The other one. */
export function turnTheme() {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, chosen.value);
  } catch {
    // It is kept until the page is left.
  }
}

/** A colour of the style sheet, for what draws by itself. @param {string} name */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
