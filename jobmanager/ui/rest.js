// Questions and wishes to our own server, and nobody else's.

import { forget, shown } from "./token.js";

/** An error as the server tells it. */
export class Problem extends Error {
  /** @param {{ detail: string, help?: string, code?: string, status?: number, rendered?: string, diagnostics?: any }} told */
  constructor(told) {
    super(told.detail);
    this.help = told.help;
    this.code = told.code;
    this.rendered = told.rendered;
    this.status = told.status;
    this.diagnostics = told.diagnostics;
  }
}

/** @param {string} name */
export const path = (name) => `/v1/datastreams/${encodeURIComponent(name)}`;

/** @param {Response} answer */
async function problemOf(answer) {
  const told = await answer.json().catch(() => null);
  if (told && told.detail) return new Problem(told);
  return new Problem({ detail: `the job manager answers with ${answer.status}`, status: answer.status });
}

/** @param {string} url @param {RequestInit} [options] */
async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "omit", ...options, headers: { ...options?.headers, ...shown() } });
  } catch {
    throw new Problem({ detail: "the job manager does not answer", help: "is it running? The page tries again by itself" });
  }
  if (answer.status === 401) forget();
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** The parts of an answer that goes on, as text. @param {string} url @param {AbortSignal} signal */
export async function* listen(url, signal) {
  const answer = await ask(url, { signal, headers: { Accept: "text/event-stream" } });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** @param {string} url */
export const read = async (url) => (await ask(url)).json();
/** @param {string} url */
export const readText = async (url) => (await ask(url)).text();

/** Changes something; never by GET. @param {string} url @param {unknown} [body] */
export async function wish(url, body) {
  const json = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await ask(url, { method: "POST", ...json })).json();
}

/** The same with a text: documents. @param {string} url @param {string} text */
export async function wishText(url, text) {
  return (await ask(url, { method: "POST", headers: { "Content-Type": "text/plain; charset=utf-8" }, body: text })).json();
}
