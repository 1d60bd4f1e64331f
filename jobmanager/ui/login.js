// Who looks has to say so, where the job manager asks: one field for a token.

import { html, useEffect, useRef } from "./html.js";
import { locked, take } from "./token.js";

export function Login() {
  const field = useRef(null);
  useEffect(() => field.current?.focus(), []);
  const enter = (event) => {
    event.preventDefault();
    if (field.current.value.trim()) take(field.current.value);
  };
  const wrong = locked.value === "wrong";
  return html`<main class="page" id="main"><form class="login panel" onSubmit=${enter} data-testid="login">
    <h1>Who asks?</h1>
    <p class="soft">This job manager answers those only who show a token. It stays in this tab, until the tab is closed.</p>
    <label for="token">Token</label>
    <input id="token" ref=${field} type="password" autocomplete="off" spellcheck=${false} required
      aria-invalid=${wrong} aria-describedby="token-help" data-testid="token" />
    <p id="token-help" class=${wrong ? "wrong" : "soft"} role=${wrong ? "alert" : undefined}>
      ${wrong ? "The job manager does not know this token." : "It is a line of the file that `--token-file` of the job manager names."}
    </p>
    <button class="primary" type="submit" data-testid="enter">Show the cluster</button>
  </form></main>`;
}
