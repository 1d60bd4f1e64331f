// Drives the page of a real cluster and says what is wrong with it: `node page.mjs URL FOLDER`, FOLDER for pictures.

import { accessible, expect, faults, launch, look, open, rest, same, until } from "./browser.mjs";
import { overview } from "./overview.mjs";
import { actions, others, running } from "./job.mjs";
import { looking } from "./looking.mjs";

const [base, shots] = process.argv.slice(2);

/** @param {any} page */
async function taskManagers(page) {
  await page.goto(`${base}/#/taskmanagers`);
  const cluster = await rest(`${base}/v1/cluster`);
  await until(
    page,
    "the task managers",
    (count) => document.querySelectorAll("[data-testid=member]").length === count,
    cluster.taskManagers.length,
  );
  const members = await page.$$eval("[data-testid=member]", (all) =>
    all.map((one) => [
      one.querySelector("[data-testid=name]").textContent,
      one.querySelector("[data-testid=slots]").textContent.trim(),
    ]),
  );
  same(
    members,
    cluster.taskManagers.map((one) => [one.name, `${one.slots - one.slotsFree} of ${one.slots}`]),
    "task managers",
  );
  same(await page.textContent("[data-testid=term]"), String(cluster.term), "term");
  expect(!(await page.textContent("main")).includes("file:"), "no path of the machine");
  await accessible(page, "task managers");
  await look(page, "taskmanagers-dark-1440", shots);
}

const browser = await launch();
try {
  const light = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  await overview(light, base, shots);
  await running(light, base, shots);
  await looking(light, base, shots);
  await light.close();
  const dark = await open(browser, base, { width: 1440, height: 900, theme: "dark" });
  await taskManagers(dark);
  await dark.click("button[aria-label='Use the light theme']");
  same(await dark.evaluate(() => document.documentElement.dataset.theme), "light", "the theme by its switch");
  await dark.click("button[aria-label='Use the dark theme']");
  await others(dark, base, shots);
  await accessible(dark, "in the dark");
  await actions(dark, base);
} catch (error) {
  faults.push(error.stack);
} finally {
  await browser.close();
}
for (const fault of faults) console.log(`- ${fault}`);
process.exitCode = faults.length ? 1 : 0;
