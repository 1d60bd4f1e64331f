// Drives the page of a real cluster and says what is wrong with it: `node page.mjs URL FOLDER`, FOLDER for pictures.

import { accessible, faults, launch, open, same } from "./browser.mjs";
import { overview } from "./overview.mjs";
import { actions, others, running } from "./job.mjs";
import { documents } from "./document.mjs";
import { connectors } from "./connectors.mjs";
import { archive } from "./archive.mjs";
import { taskManagers } from "./taskmanagers.mjs";
import { looking } from "./looking.mjs";

const [base, shots] = process.argv.slice(2);

const browser = await launch();
try {
  const light = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  await overview(light, base, shots);
  await running(light, base, shots);
  await looking(light, base, shots);
  await connectors(light, base, shots);
  await documents(light, base, shots);
  await archive(light, base, shots);
  await light.close();
  const dark = await open(browser, base, { width: 1440, height: 900, theme: "dark" });
  await taskManagers(dark, base, shots);
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
