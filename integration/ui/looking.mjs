// Rows that are looked at as they go by, and dead letters read back: chosen, filtered, shown whole, as REST has them.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

const SHOP = "shop";
const of = (base) => `${base}/v1/datastreams/${SHOP}`;
const number = async (page, id) => Number((await page.textContent(`[data-testid=${id}]`)).replace(/\D/g, ""));

/** @param {any} page @param {string} base @param {string} shots */
export async function looking(page, base, shots) {
  await tap(page, base, shots);
  await letters(page, base, shots);
}

async function open(page, base, tab) {
  await page.goto(`${base}/#/datastreams/${SHOP}?tab=${tab}`);
  await until(page, `the tab ${tab}`, (id) => document.querySelector(`#tab-${id}`)?.getAttribute("aria-selected") === "true", tab);
}

async function tap(page, base, shots) {
  await open(page, base, "tap");
  const { vertices } = await rest(of(base));
  same(
    await page.$$eval("[data-testid=tap-step] option", (all) => all.map((one) => one.value)),
    vertices.flatMap((vertex) => vertex.steps.map((step) => step.name)),
    "steps to choose from",
  );
  // A wrong question is answered with its place, and nothing begins.
  await page.fill("[data-testid=tap-where]", "nonsense +");
  await page.click("[data-testid=tap-start]");
  await until(page, "what is wrong with the condition", () =>
    document.querySelector("[data-testid=tap-problem]")?.textContent.includes("^"),
  );
  await page.selectOption("[data-testid=tap-step]", "once");
  await page.fill("[data-testid=tap-where]", "eventType = 'PURCHASE'");
  await page.click("[data-testid=tap-start]");
  await until(page, "rows", () => document.querySelectorAll("[data-testid=tap-row]").length >= 5);
  await until(page, "counts", () => document.querySelector("[data-testid=tap-passed]"));
  const rows = await page.$$eval("[data-testid=tap-row]", (all) => all.map((one) => one.lastElementChild.textContent));
  for (const row of rows) {
    const { eventType, subscriberId } = JSON.parse(row);
    expect(eventType === "PURCHASE", `a row that does not fit: ${row}`);
    expect(subscriberId === "•••", `a hidden field is shown: ${row}`);
  }
  expect((await page.textContent("[data-testid=tap-counts]")).includes("hidden: subscriberId"), "that something is hidden");
  await accessible(page, "a tap");
  await look(page, "tap-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "tap-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  const passed = await number(page, "tap-passed");
  await until(page, "counts to grow", (then) => Number(document.querySelector("[data-testid=tap-passed]").textContent.replace(/\D/g, "")) > then, passed);
  await page.click("[data-testid=tap-start]");
  await until(page, "the tap to stop", () => document.querySelector("[data-testid=tap-start]").textContent === "Start");
  const shown = (await page.$$("[data-testid=tap-row]")).length;
  await page.waitForFunction((then) => performance.now() > then, (await page.evaluate(() => performance.now())) + 1500);
  same((await page.$$("[data-testid=tap-row]")).length, shown, "rows after it was stopped");
}

async function letters(page, base, shots) {
  await open(page, base, "letters");
  await until(page, "dead letters", () => document.querySelectorAll("[data-testid=letter]").length >= 3);
  const ids = await page.$$eval("[data-testid=letter]", (all) => all.map((one) => one.dataset.id));
  const id = ids[ids.length - 1];
  const letter = await rest(`${of(base)}/dead-letters/${encodeURIComponent(id)}`);
  await page.click(`[data-id="${id}"] button`);
  await until(page, "a letter whole", () => document.querySelector("[data-testid=whole] pre")?.textContent.length > 1);
  same(await page.textContent("[data-testid=whole] pre"), letter.record, "the record of a dead letter");
  same(
    await page.$eval("[data-testid=whole] dd", (one) => one.textContent),
    letter.error.replaceAll("`", ""),
    "the error of a dead letter",
  );
  await accessible(page, "dead letters");
  await look(page, "letters-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "letters-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.fill("[data-testid=letters-error]", "no error has this text");
  await until(page, "that none fits", () => document.querySelector("[data-testid=letters-none]"));
  await page.fill("[data-testid=letters-error]", "");
  await until(page, "all of them again", () => document.querySelectorAll("[data-testid=letter]").length >= 3);
  await page.selectOption("[data-testid=letters-step]", letter.step);
  await until(page, "those of a step", (step) => {
    const all = [...document.querySelectorAll("[data-testid=letter]")];
    return all.length > 0 && all.every((one) => one.children[1].textContent === step);
  }, letter.step);
}
