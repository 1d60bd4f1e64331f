// The overview: every datastream as REST has it, found by filter and by keyboard, and hostile names are text.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

/** @param {any} page @param {string} base @param {string} shots */
export async function overview(page, base, shots) {
  await page.goto(`${base}/`);
  const streams = await rest(`${base}/v1/datastreams`);
  await until(
    page,
    "a row for each datastream",
    (count) => document.querySelectorAll("[data-testid=row]").length === count,
    streams.length,
  );
  const rows = await page.$$eval("[data-testid=row]", (all) =>
    all.map((row) => ({
      name: row.querySelector("[data-testid=name]").textContent,
      state: row.querySelector("[data-testid=state]").textContent,
      contact: row.querySelector(".owner").textContent,
    })),
  );
  const by = (one, other) => (one.name < other.name ? -1 : 1);
  const shown = streams.map(({ name, state, contact }) => ({ name, state, contact: contact || "–" }));
  same(rows.sort(by), shown.sort(by), "datastreams");
  const hostile = streams.find((one) => one.contact?.includes("<img"));
  expect(hostile, "a datastream whose contact is markup");
  same(
    await page.$$eval("#app img", (all) => all.map((one) => one.getAttribute("src"))),
    ["/ui/weir.svg"],
    "pictures: markup is text",
  );
  await until(page, "that nothing is missing of the shop", () => {
    const row = [...document.querySelectorAll("[data-testid=row]")].find((one) => one.querySelector("[data-testid=name]").textContent === "shop");
    return row?.querySelector("[data-testid=missing]").textContent.trim() === "0";
  });
  same((await rest(`${base}/v1/datastreams/shop`)).summary.missing, { rows: 0, alarm: false }, "what is missing of the shop");
  const slots = (await rest(`${base}/v1/cluster`)).slots;
  same(await page.textContent("[data-testid=total-slots]").then((text) => text.endsWith(`of ${slots}`)), true, "slots");
  await filtered(page);
  await accessible(page, "overview");
  await look(page, "overview-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "overview-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function filtered(page) {
  const names = () => page.$$eval("[data-testid=name]", (all) => all.map((one) => one.textContent));
  await page.keyboard.press("/");
  await page.keyboard.type("slow");
  await until(page, "the filter to leave one", () => document.querySelectorAll("[data-testid=row]").length === 1);
  same(await names(), ["slow-sink"], "what the filter leaves");
  await page.keyboard.press("Escape");
  await until(page, "all again", () => document.querySelectorAll("[data-testid=row]").length > 3);
  await page.click("[data-testid=tone-bad]");
  same(await names(), ["broken"], "those that fail");
  await page.click("[data-testid=tone-all]");
  same((await names())[0], "broken", "who needs somebody comes first");
}
