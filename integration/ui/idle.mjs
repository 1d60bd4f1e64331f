// What an open page costs that nobody touches: `node idle.mjs URL` prints one line of JSON.

import { launch, open } from "./browser.mjs";

const [base] = process.argv.slice(2);
const SECONDS = 20;

const browser = await launch();
const page = await open(browser, base, { width: 1440, height: 900, theme: "light" });
await page.goto(`${base}/`);
await page.waitForSelector("[data-testid=row]");
const rowsMs = await page.evaluate(() => performance.now());
const firstPaintMs = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
/** Seconds that the page's own process was at work. */
const used = async () => {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find((one) => one.name === "ProcessTime").value;
};
const before = await used();
await page.waitForTimeout(SECONDS * 1000);
const idleShare = ((await used()) - before) / SECONDS;
await browser.close();
console.log(JSON.stringify({ firstPaintMs, rowsMs, idleShare }));
