// A datastream: its graph, numbers and words as REST has them, in each state; and every action is done.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

const text = (page, id) => page.textContent(`[data-testid=${id}]`);
const of = (base, name) => `${base}/v1/datastreams/${name}`;

/** @param {any} page @param {string} base @param {string} name @param {string} [tab] */
async function go(page, base, name, tab) {
  await page.goto(`${base}/#/datastreams/${name}${tab ? `?tab=${tab}` : ""}`);
  await until(
    page,
    `the page of ${name}`,
    (wanted) => document.querySelector("[data-testid=job-name]")?.textContent === wanted,
    name,
  );
}

/** One that runs: graph, checkpoints, steps, document, dead letters, log. @param {any} page @param {string} base @param {string} shots */
export async function running(page, base, shots) {
  const before = await rest(of(base, "shop"));
  await go(page, base, "shop");
  same(await text(page, "state"), "running", "state");
  const boxes = await page.$$eval("[data-testid=vertex]", (all) => all.map((one) => one.dataset.vertex));
  same(
    boxes,
    before.vertices.map((vertex) => vertex.id),
    "vertices",
  );
  const pairs = new Set(before.edges.map((edge) => `${edge.from} ${edge.to}`));
  same((await page.$$("[data-testid=edge]")).length, pairs.size, "edges, those between the same two as one");
  const epoch = Number((await text(page, "tile-checkpoint")).replace(/\D/g, ""));
  const after = await rest(of(base, "shop"));
  expect(
    before.summary.epoch <= epoch && epoch <= after.summary.epoch,
    `epoch ${epoch} on the page, ${before.summary.epoch} to ${after.summary.epoch} by REST`,
  );
  await until(
    page,
    "checkpoints to grow",
    (then) => Number(document.querySelector("[data-testid=checkpoints-completed]").textContent.replace(/\D/g, "")) > then,
    after.checkpoints.completed,
  );
  for (const name of ["in", "out"]) expect(/^[\d.]+/.test((await text(page, `tile-${name}`)).trim()), `rows ${name}`);
  const vertex = before.vertices[0];
  await page.click(`[data-vertex=${vertex.id}]`);
  same((await page.$$("[data-testid=subtask]")).length, vertex.parallelism, "subtasks");
  const steps = before.vertices.flatMap((one) => one.steps);
  same((await page.$$("[data-testid=step]")).length, steps.length, "steps");
  expect((await text(page, "holder")).includes("furthest back is sub-0."), "who holds the watermark");
  await lagAndLoss(page, base);
  await page.evaluate(() => scrollTo(0, 0));
  await accessible(page, "a datastream");
  await look(page, "job-light-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "job-light-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
  await tabs(page, base);
}

/** Lag and loss of each step, as REST has them. @param {any} page @param {string} base */
async function lagAndLoss(page, base) {
  await until(page, "lag and loss", () => document.querySelectorAll("[data-testid=lag-step]").length > 0);
  const known = await rest(`${of(base, "shop")}/lag?minutes=60`);
  const steps = await page.$$eval("[data-testid=lag-step]", (all) => all.map((one) => one.dataset.step));
  same(
    steps,
    known.steps.map((step) => step.name),
    "steps of lag and loss",
  );
  const missing = await page.$$eval("[data-testid=missing]", (all) => all.map((one) => one.title));
  expect(
    missing.every((one) => one === "0"),
    `rows are missing: ${missing}`,
  );
  expect((await text(page, "loss-words")).includes("nothing is missing"), "that nothing is missing");
  // A minute that is over has on the page what it has by REST: a cell of a step that comes with its event time.
  const step = known.steps.find((one) => one.kind === "filter");
  const old = step.minutes[0];
  const cell = `[data-step="${step.name}"] [data-minute="${old.minuteMs}"]`;
  // The page asks every few seconds: what it shows may be a little older than what was just asked for.
  const reached = ([wanted, least]) => Number(document.querySelector(wanted)?.dataset.in) >= least;
  await until(page, "a cell of the strip", reached, [cell, old.rowsIn]);
  const after = (await rest(`${of(base, "shop")}/lag?minutes=60`)).steps.find((one) => one.name === step.name);
  const shown = Number(await page.getAttribute(cell, "data-in"));
  const now = after.minutes.find((one) => one.minuteMs === old.minuteMs);
  expect(old.rowsIn <= shown && shown <= now.rowsIn, `${shown} rows on the page, ${old.rowsIn} to ${now.rowsIn} by REST`);
  // Another step's charts.
  await page.click(`[data-step="${step.name}"] button`);
  await until(
    page,
    "the charts of a step",
    (wanted) => document.querySelector(`[aria-label="Lag in · ${wanted}"] canvas`),
    step.name,
  );
}

async function tabs(page, base) {
  await page.click("[data-testid=tab-document]");
  await until(page, "the document", () => document.querySelector("[data-testid=document]"));
  const lines = await page.$$eval("[data-testid=document] li > code", (all) => all.map((one) => one.textContent));
  same(lines.join("\n"), (await rest(`${of(base, "shop")}/document`)).trimEnd(), "document");
  await page.click("[data-testid=tab-letters]");
  await until(page, "dead letters", () => document.querySelector("[data-testid=letter]"));
  await page.click("[data-testid=tab-logs]");
  await until(page, "the log", () => document.querySelectorAll("[data-testid=line]").length > 3);
  // By keyboard from one to the next.
  await page.focus("[data-testid=tab-logs]");
  await page.keyboard.press("ArrowRight");
  await until(
    page,
    "the next tab by arrow",
    () => document.querySelector("[data-testid=tab-document]").getAttribute("aria-selected") === "true",
  );
}

/** One behind a slow sink, one that failed, one that finished: each says so in a line. @param {any} page @param {string} base @param {string} shots */
export async function others(page, base, shots) {
  await go(page, base, "slow-sink");
  await until(page, "the slow sink to be named", () =>
    document.querySelector("[data-code=backpressure]")?.textContent.includes("warehouse"),
  );
  await look(page, "slow-dark-1440", shots);
  await go(page, base, "broken", "exceptions");
  const { summary, exceptions } = await rest(of(base, "broken"));
  same(await text(page, "state"), "failed", "state of one that failed");
  const plain = (message) => message.replaceAll("`", "");
  expect((await text(page, "finding")).includes(plain(summary.reason)), "why it failed");
  same(await page.textContent("[data-testid=exception] .message"), plain(exceptions[0].message), "its exception");
  same(await page.$$eval(".head .facts b", ([owner]) => owner.textContent), summary.contact, "markup in a name is text");
  await look(page, "broken-dark-1440", shots);
  await go(page, base, "finished");
  same(await text(page, "state"), "finished", "state of one that finished");
  same((await page.$$("[data-testid^=action-]")).length, 0, "nothing can be done any more");
  await page.goto(`${base}/#/datastreams/nobody`);
  await until(page, "that there is no such datastream", () => document.querySelector("main")?.textContent.includes("nobody"));
}

/** Everything that a person can do. @param {any} page @param {string} base */
export async function actions(page, base) {
  await go(page, base, "shop", "operations");
  const before = (await rest(of(base, "shop"))).operations.length;
  await act(page, "savepoint", "by-hand");
  await done(page, before + 1);
  await act(page, "rescale", "1");
  await done(page, before + 2);
  const { operations, vertices } = await rest(of(base, "shop"));
  same(
    operations.slice(0, 2).map((one) => one.state),
    ["done", "done"],
    "operations",
  );
  same(vertices[0].parallelism, 1, "parallelism after the rescale");
  expect(operations[1].result?.includes("by-hand"), "the savepoint has its label");
  // Asked once: who changes their mind changes nothing.
  await page.click("[data-testid=action-cancel]");
  await page.keyboard.press("Escape");
  await until(page, "the question to be gone", () => !document.querySelector("dialog"));
  same(await text(page, "state"), "running", "state after a question that was not answered");
  await act(page, "stop");
  await until(page, "it to stop", () => document.querySelector("[data-testid=state]").textContent === "stopped");
  await go(page, base, "slow-sink");
  await act(page, "cancel");
  await until(page, "it to be cancelled", () => document.querySelector("[data-testid=state]").textContent === "cancelled");
  same((await rest(of(base, "slow-sink"))).summary.state, "cancelled", "state");
}

async function act(page, action, value) {
  await page.click(`[data-testid=action-${action}]`);
  if (value !== undefined) await page.fill("[data-testid=field]", value);
  await page.click("[data-testid=confirm]");
  await until(page, `the question of ${action} to be gone`, () => !document.querySelector("dialog"));
}

const done = (page, count) =>
  until(
    page,
    `${count} operations to be done`,
    (wanted) =>
      [...document.querySelectorAll("[data-testid=operation] .state")].filter((one) => one.dataset.tone === "good").length ===
      wanted,
    count,
  );
