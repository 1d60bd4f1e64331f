// Documents: written, looked at, submitted, changed, compared and gone back to, with nothing but the page.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

const of = (base, name) => `${base}/v1/datastreams/${name}`;
const text = (page, id) => page.textContent(`[data-testid=${id}]`);
const is = (page, what, wanted) =>
  until(page, what, (word) => document.querySelector("[data-testid=validity]")?.textContent === word, wanted);

/** What the job manager says of a text. @param {string} base @param {string} body */
async function review(base, body) {
  const answer = await fetch(`${base}/v1/validate`, { method: "POST", headers: { "content-type": "text/plain" }, body });
  return answer.json();
}

const WRONG = `datastreamName: typed-in
contactName: "<img src=x onerror=alert(2)>"
desiredState: ON
sources:
  - genrator: { events: shop, throughput: 100 }
sinks:
  - blackhole: {}
`;
const RIGHT = WRONG.replace("genrator", "generator");

/** A new one, with a mistake first. @param {any} page @param {string} base @param {string} shots */
async function written(page, base, shots) {
  await page.goto(`${base}/#/new`);
  await is(page, "what it begins with to be right", "no mistakes");
  await accessible(page, "new");
  await look(page, "new-light-1440", shots);
  await page.fill("[data-testid=editor]", WRONG);
  await is(page, "the mistake to be found", "1 error");
  const { diagnostics } = await review(base, WRONG);
  const [found] = diagnostics.findings;
  const shown = await text(page, "diagnostic");
  for (const word of [found.code, found.suggestion, `line ${found.place.line}, column ${found.place.column}`])
    expect(shown.includes(word), `the finding says ${word}: ${shown}`);
  expect(await page.$eval("[data-testid=send]", (button) => button.disabled), "a mistake cannot be submitted");
  same(await page.$$eval(".gutter li[data-tone=error]", (all) => all.map((one) => Number(one.dataset.line))), [found.place.line], "lines");
  await page.click("[data-testid=diagnostic] .where button");
  await until(page, "the place to be selected", () => {
    const area = /** @type {HTMLTextAreaElement} */ (document.querySelector("[data-testid=editor]"));
    return area.value.slice(area.selectionStart, area.selectionEnd) === "genrator";
  });
  await page.click("[data-testid=explain]");
  await until(page, "the page of the code", (code) => document.querySelector("[data-testid=explained]")?.textContent.includes(code), found.code);
  await look(page, "explained-light-1440", shots);
  await page.keyboard.press("Escape");
  await accessible(page, "new with a mistake");
  await look(page, "new-wrong-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "new-wrong-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  // What is written outlives the view, and Enter goes on where the line began.
  await page.goto(`${base}/#/`);
  await page.goto(`${base}/#/new`);
  same(await page.inputValue("[data-testid=editor]"), WRONG, "the draft");
  await page.fill("[data-testid=editor]", RIGHT.trimEnd());
  await page.focus("[data-testid=editor]");
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Enter");
  same(await page.inputValue("[data-testid=editor]"), `${RIGHT.trimEnd()}\n  `, "Enter keeps the indentation");
  await is(page, "the text to be right", "no mistakes");
  await page.click("[data-testid=send]");
  await page.click("[data-testid=confirm]");
  await until(page, "the new datastream", () => document.querySelector("[data-testid=job-name]")?.textContent === "typed-in");
  same(await page.$$eval("#app img", (all) => all.length), 1, "pictures: markup is text");
  const { summary } = await rest(of(base, "typed-in"));
  same(summary.contact, "<img src=x onerror=alert(2)>", "contact");
}

/** Changed while it runs: asked once, with what becomes of each step. @param {any} page @param {string} base @param {string} shots */
async function changed(page, base, shots) {
  await page.goto(`${base}/#/datastreams/shop?tab=document&edit=1`);
  await is(page, "the document in force to be right", "no mistakes");
  expect(await page.$eval("[data-testid=send]", (button) => button.disabled), "nothing to do: nothing to send");
  const before = await rest(`${of(base, "shop")}/document`);
  const after = before.replace("name: once", "name: only").replace("within: 10m", "within: 20m");
  await page.fill("[data-testid=editor]", after);
  await until(page, "the change to be looked at", () => document.querySelector("[data-prospect=changes]"));
  const { documents } = await review(base, after);
  const told = documents[0].verdicts.map((one) => [one.step, one.state]);
  const words = { keeps: "keeps", startsEmpty: "starts empty", drops: "drops", migrates: "migrates", refused: "refused" };
  const rows = () =>
    page.$$eval(".prospect [data-testid=verdict]", (all) =>
      all.map((row) => [row.querySelector("th").firstChild.textContent.trim(), row.querySelector(".state").textContent]),
    );
  same(await rows(), told.map(([step, state]) => [step, words[state]]), "what becomes of the steps");
  await accessible(page, "a change");
  await look(page, "change-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "change-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.click("[data-testid=send]");
  // State goes only where somebody says so.
  await page.click("[data-testid=confirm]");
  expect(await page.$("dialog"), "dropped state is asked for");
  await page.check("[data-testid=allow]");
  await look(page, "change-asked-light-1440", shots);
  await page.click("[data-testid=confirm]");
  await until(page, "the change to be done", () => document.querySelector("[data-testid=operation] .state")?.dataset.tone === "good");
  await until(page, "it to run again", () => document.querySelector("[data-testid=state]").textContent === "running");
}

/** Versions, what is between them, and back. @param {any} page @param {string} base @param {string} shots */
async function compared(page, base, shots) {
  await page.goto(`${base}/#/datastreams/shop?tab=document`);
  const versions = await rest(`${of(base, "shop")}/versions`);
  await until(page, "the versions", (count) => document.querySelectorAll("[data-testid=version]").length === count, versions.length);
  same(versions.map((one) => [one.number, one.cause]), [[2, "changed"], [1, "begun"]], "versions");
  const lines = await page.$$eval("[data-testid=document] li > code", (all) => all.map((one) => one.textContent));
  same(lines.join("\n"), (await rest(`${of(base, "shop")}/document`)).trimEnd(), "document");
  await accessible(page, "a document");
  await look(page, "document-light-1440", shots);
  await page.click("[data-testid=compare]");
  await until(page, "the difference", () => document.querySelector("[data-testid=difference] [data-change=added]"));
  const { hunks, added, removed } = await rest(`${of(base, "shop")}/diff?from=1&to=2`);
  const all = hunks.flatMap((hunk) => hunk.lines);
  const shown = (change) => page.$$eval(`[data-testid=difference] [data-change=${change}] code`, (some) => some.map((one) => one.textContent));
  for (const change of ["added", "removed"])
    same(await shown(change), all.filter((line) => line.change === change).map((line) => line.text), `lines ${change}`);
  same(await page.textContent(".sums"), `+${added} −${removed}`, "sums");
  await accessible(page, "a difference");
  await look(page, "difference-light-1440", shots);
  await page.click("[data-testid=unified]");
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "difference-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`${base}/#/datastreams/shop?tab=document&version=1`);
  await page.click("[data-testid=edit]");
  await is(page, "the older version to be looked at", "no mistakes");
  same((await page.inputValue("[data-testid=editor]")).trimEnd(), (await rest(`${of(base, "shop")}/versions/1/document`)).trimEnd(), "the older version");
  await page.click("[data-testid=leave]");
  await until(page, "the document again", () => document.querySelector("[data-testid=document]"));
}

/** @param {any} page @param {string} base @param {string} shots */
export async function documents(page, base, shots) {
  await written(page, base, shots);
  await changed(page, base, shots);
  await compared(page, base, shots);
}
