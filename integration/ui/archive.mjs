// An archive: its folders, files, rows and times as REST has them, rows of a file, and a replay that is ready to be submitted.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

const of = (base) => `${base}/v1/datastreams/kept/archive`;

/** @param {any} page @param {string} base @param {string} shots */
export async function archive(page, base, shots) {
  await page.goto(`${base}/#/datastreams/kept?tab=archive`);
  await until(page, "files of the archive", () => document.querySelector("[data-testid=archive-file]"));
  const { files, partitions } = await rest(of(base));
  const shown = await page.$$eval("[data-testid=archive-file]", (rows) => rows.map((row) => row.querySelector("button").title));
  expect(shown.length > 0 && shown.every((file) => files.some((one) => one.file === file)), "each file on the page is one by REST");
  const cells = await page.$eval("[data-testid=archive-file]", (row) => [...row.querySelectorAll("td")].map((cell) => cell.title || cell.textContent));
  const first = files.find((one) => one.file === shown[0]);
  same(cells[0].replace(/\D/g, ""), String(first.rows), "rows of a file");
  same(cells[2], new Date(first.fromMs).toISOString().slice(0, 19).replace("T", " "), "its first event time");
  await accessible(page, "an archive");
  await look(page, "archive-light-1440", shots);
  // One kind of events, and rows of one of its files.
  const folder = partitions[0].folder.split("/")[0];
  await page.click(`[data-testid=partition] >> nth=0`);
  await until(page, "files of one folder", (name) => [...document.querySelectorAll("[data-testid=archive-file] button")].every((one) => one.title.startsWith(`${name}/`)), folder);
  await page.click("[data-testid=archive-file] button");
  await until(page, "rows", () => document.querySelector("[data-testid=archive-row]"));
  const file = await page.$eval("tr[data-chosen=true] button", (one) => one.title);
  const rows = await rest(`${of(base)}/sample?file=${encodeURIComponent(file)}&limit=20`);
  same((await page.$$("[data-testid=archive-row]")).length, rows.length, "rows of a sample");
  expect((await page.textContent("[data-testid=archive-row]")).includes(rows[0].raw.eventId), "the record itself");
  await accessible(page, "rows of an archive");
  await look(page, "archive-rows-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "archive-rows-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const stray of ["../blocked", "/etc/passwd", "_weir/x.parquet"]) {
    const answer = await fetch(`${of(base)}/sample?file=${encodeURIComponent(stray)}`);
    same(answer.status, 409, `a file outside of the archive: ${stray}`);
  }
  const from = await page.inputValue("[data-testid=replay-from]");
  await page.click("[data-testid=replay]");
  await until(page, "the replay to be right", () => document.querySelector("[data-testid=validity]")?.textContent === "no mistakes");
  const written = await page.inputValue("[data-testid=editor]");
  expect(written.includes(`from: "${from}"`) && written.includes("datastreamName: replay-kept"), `the replay: ${written}`);
  expect(written.includes(folder.split("=")[1]), "the event type of the folder");
  await look(page, "replay-light-1440", shots);
  await page.goto(`${base}/#/datastreams/shop?tab=archive`);
  await until(page, "that there is none", () => document.querySelector("[data-testid=no-archive]"));
}
