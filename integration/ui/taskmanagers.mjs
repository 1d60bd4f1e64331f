// Task managers: slots with who sits in them, memory by who holds it, processors, threads and what they have said, as REST has it.

import { accessible, expect, look, rest, same, until } from "./browser.mjs";

/** @param {any} page @param {string} base @param {string} shots */
export async function taskManagers(page, base, shots) {
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
  for (const one of cluster.taskManagers) {
    const given = one.memory.reduce((sum, job) => sum + job.networkBytes + job.stateBytes + job.sinkBytes + job.readerBytes + job.chainBytes, 0);
    expect(given > 0 && given <= one.memoryBytes, `${one.name} has given out ${given} of ${one.memoryBytes} bytes`);
    expect(one.threads > 1 && one.cpuCores !== null && one.cpuCores >= 0, `${one.name}: ${one.threads} threads, ${one.cpuCores} cores`);
  }
  same(await page.textContent("[data-testid=term]"), String(cluster.term), "term");
  expect(!(await page.textContent("main")).includes("file:"), "no path of the machine");
  await page.click("[data-testid=name] a");
  await until(page, "who sits there", () => document.querySelector("[data-testid=sitting]"));
  const { taken } = await rest(`${base}/v1/cluster/taskmanagers/${cluster.taskManagers[0].name}`);
  same((await page.$$("[data-testid=slot]")).length, taken.length, "slots that are taken");
  const sitting = await page.$$eval("[data-testid=sitting] code", (all) => all.map((one) => one.textContent));
  same(sitting, taken.flatMap((slot) => slot.subtasks.map((one) => one.subtask.id)), "who sits there");
  same((await page.$$("[data-testid=memory-part]")).length, 5, "who holds memory");
  await until(page, "its log", () => document.querySelector("[data-testid=line]"));
  await accessible(page, "task managers");
  await look(page, "taskmanagers-dark-1440", shots);
  await page.setViewportSize({ width: 800, height: 900 });
  await look(page, "taskmanagers-dark-800", shots);
  await page.setViewportSize({ width: 1440, height: 900 });
}
