// Connectors, formats and steps with their options, as REST has them; each has an address, and is found by an option's name.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

const names = (page) => page.$$eval("[data-testid=component]", (all) => all.map((one) => one.firstChild.textContent.trim()));
const chosen = (page, name) =>
  until(page, name, (wanted) => document.querySelector("[data-testid=component-name]")?.textContent === wanted, name);

/** Options and those inside them. @param {any[]} options @param {string} above @returns {any[]} */
const flat = (options, above = "") =>
  options.flatMap((one) => [[above + one.name, one.required], ...flat(one.options, `${above}${one.name}.`)]);

/** @param {any} page @param {string} base @param {string} shots */
export async function connectors(page, base, shots) {
  await page.goto(`${base}/#/connectors`);
  const all = await rest(`${base}/v1/connectors`);
  await until(page, "the connectors", (count) => document.querySelectorAll("[data-testid=component]").length === count, all.length);
  same(await names(page), all.map((one) => one.name), "names");
  for (const one of all) {
    await page.goto(`${base}/#/connectors/${one.name}`);
    await chosen(page, one.name);
    const shown = await page.$$eval("[data-testid=option]", (rows) =>
      rows.map((row) => [row.querySelector("th code").textContent, row.dataset.required === "true"]),
    );
    same(shown, one.uses.flatMap((use) => flat(use.options)), `options of ${one.name}`);
    expect(one.examples.length > 0, `${one.name} has an example`);
  }
  await page.keyboard.press("/");
  await page.keyboard.type("splitsize");
  await until(page, "one by its option", () => document.querySelectorAll("[data-testid=component]").length === 1);
  same(await names(page), ["file"], "who has that option");
  await page.fill("[data-testid=filter]", "");
  await page.goto(`${base}/#/connectors/file`);
  await chosen(page, "file");
  await accessible(page, "connectors");
  await look(page, "connectors-light-1440", shots);
  await page.goto(`${base}/#/connectors/aggregate`);
  await chosen(page, "aggregate");
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "connectors-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`${base}/#/connectors/generator`);
  await chosen(page, "generator");
  await page.click("[data-testid=open]");
  await until(page, "the example in the editor", () => document.querySelector("[data-testid=editor]")?.value.includes("generator"));
}
