// Questions and wishes to our own server, and nobody else's.

/** An error as the server tells it. */
export class Problem extends Error {
  /** @param {{ detail: string, help?: string, code?: string, status?: number, rendered?: string }} told */
  constructor(told) {
    super(told.detail);
    this.help = told.help;
    this.code = told.code;
    this.rendered = told.rendered;
    this.status = told.status;
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
    answer = await fetch(url, { credentials: "omit", ...options });
  } catch {
    throw new Problem({ detail: "the job manager does not answer", help: "is it running? The page tries again by itself" });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** @param {string} url */
export const read = async (url) => (await ask(url)).json();
/** @param {string} url */
export const readText = async (url) => (await ask(url)).text();

/** Why a stream of events is refused, which the browser does not say; nothing where it is not. @param {string} url */
export async function refusal(url) {
  const question = new AbortController();
  try {
    await ask(url, { signal: question.signal });
    question.abort();
    return null;
  } catch (problem) {
    return problem;
  }
}

/** Changes something; never by GET. @param {string} url @param {unknown} [body] */
export async function wish(url, body) {
  const json = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await ask(url, { method: "POST", ...json })).json();
}
