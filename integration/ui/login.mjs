// Drives the page of a job manager that asks for a token: `node login.mjs URL FOLDER TOKEN`.

import { accessible, expect, faults, launch, look, open, same, until } from "./browser.mjs";

const [base, shots, token] = process.argv.slice(2);

/** What the browser says of an answer that is meant to be a refusal is no fault. */
const refused = (fault) => fault.startsWith("console:") && fault.includes("401");

/** @param {any} page */
const locked = (page) => until(page, "the form", () => document.querySelector("[data-testid=login]") !== null);
/** @param {any} page */
const inside = (page) =>
  until(page, "the overview", () => document.querySelector("[data-testid=total-slots]") && document.querySelector("[data-link=live]"));

const browser = await launch();
try {
  const page = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  await page.goto(`${base}/`);
  await locked(page);
  await accessible(page, "login");
  await look(page, "login-light-1440", shots);
  await page.fill("[data-testid=token]", "wrong-0123456789abcdef");
  await page.click("[data-testid=enter]");
  await until(page, "that it was wrong", () => document.querySelector("[role=alert]") !== null);
  await page.fill("[data-testid=token]", token);
  await page.keyboard.press("Enter");
  await inside(page);
  same(await page.evaluate(() => document.cookie), "", "cookies");
  same(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes("token"))), [], "what outlives the tab");
  expect(!(await page.content()).includes(token), "the token is nowhere on the page");
  expect(!page.url().includes(token), "nor in its address");
  await page.reload();
  await inside(page);
  const other = await page.context().newPage();
  await other.goto(`${base}/`);
  await locked(other);
} catch (error) {
  faults.push(error.stack);
} finally {
  await browser.close();
}
const left = faults.filter((fault) => !refused(fault));
for (const fault of left) console.log(`- ${fault}`);
process.exitCode = left.length ? 1 : 0;
