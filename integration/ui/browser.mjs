// A browser that trusts nobody: whatever the page logs as an error, blocks, or asks of another host is a fault.

import { createRequire } from "node:module";

/** Where install.sh has put what drives it. */
const require = createRequire(`${process.env.WEIR_BROWSER}/`);
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];
/** The machine is busy with other tests. */
export const PATIENCE_MS = 30_000;

/** Everything that was found wrong, in the order in which it was found. @type {string[]} */
export const faults = [];

/** @param {unknown} condition @param {string} what */
export function expect(condition, what) {
  if (!condition) faults.push(what);
}

/** @param {unknown} found @param {unknown} wanted @param {string} what */
export function same(found, wanted, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) faults.push(`${what}: ${one} on the page, ${other} by REST`);
}

export const launch = () =>
  chromium.launch({ executablePath: process.env.WEIR_CHROMIUM || "/usr/bin/chromium", args: ARGUMENTS });

/**
 * A page that is watched.
 * @param {any} browser
 * @param {string} base
 * @param {{ width: number, height: number, theme: "light" | "dark" }} look
 */
export async function open(browser, base, { width, height, theme }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    // A browser logs the answer that there is no such datastream, which is asked for on purpose.
    // So it does with a tap whose condition is wrong on purpose.
    const expected = /\/datastreams\/nobody\/|\/tap\?.*where=nonsense/.test(message.location().url);
    if (message.type() === "error" && !expected) faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => {
    faults.push(`a script of somebody else ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => expect(request.url().startsWith(base), `asked of somebody else: ${request.url()}`));
  return page;
}

/** Waits until the page is as wanted, and says so where it never is. @param {any} page @param {string} what @param {Function} wanted @param {unknown} [given] */
export async function until(page, what, wanted, given) {
  await page.waitForFunction(wanted, given, { timeout: PATIENCE_MS, polling: 100 }).catch(() => faults.push(`never: ${what}`));
}

/** Faults that keep people with a screen reader or a keyboard out. @param {any} page @param {string} where */
export async function accessible(page, where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of violations) {
    if (["serious", "critical"].includes(impact))
      faults.push(`${where}: ${id} (${impact}) at ${nodes[0].target} and ${nodes.length - 1} more: ${nodes[0].failureSummary}`);
  }
}

/** Nothing stands outside of the page, and a picture of it is kept for people. @param {any} page @param {string} name @param {string} folder */
export async function look(page, name, folder) {
  // Charts and the graph follow a window that changed a frame later.
  await until(page, `${name} to fit its window`, () => document.documentElement.scrollWidth <= innerWidth);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

/** @param {string} url */
export async function rest(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.headers.get("content-type").includes("json") ? answer.json() : answer.text();
}
