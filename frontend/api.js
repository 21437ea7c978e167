// Reading the API. Everything it answers is public; nothing here can change anything.

import { config } from "./config.js";
import { api as words } from "./strings.js";

const GIVE_UP_MS = 10_000;

/** The server could not be reached, or said no. `status` is 0 where there was no answer. */
export class ApiError extends Error {
  /**
   * @param {string} message a sentence for the reader
   * @param {number} status
   * @param {string} code
   */
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * The address of a path, with the parameters that are not empty.
 * @param {string} path such as "orderbook"
 * @param {Record<string, string|number|null|undefined>} [parameters]
 */
export function address(path, parameters = {}) {
  const url = new URL(path, config.api);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/**
 * The body of a path.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function read(path, parameters = {}) {
  const answer = await ask(path, parameters);
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new ApiError(body?.detail || body?.error || words.status(answer.status), answer.status, body?.code ?? "");
}

/**
 * The text of a path that does not answer JSON.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<{text: string, headers: Headers}>}
 */
export async function readText(path, parameters = {}) {
  const answer = await ask(path, parameters);
  if (!answer.ok) throw new ApiError(words.status(answer.status), answer.status, "");
  return { text: await answer.text(), headers: answer.headers };
}

async function ask(path, parameters) {
  try {
    return await fetch(address(path, parameters), { signal: AbortSignal.timeout(GIVE_UP_MS), credentials: "omit" });
  } catch {
    throw new ApiError(navigator.onLine ? words.unreachable : words.offline, 0, "");
  }
}

let venue = null;

/**
 * The venue: tokens, pairs, escrow accounts. Read once a page.
 * @returns {Promise<any>}
 */
export function readVenue() {
  venue ??= read("venue").catch((error) => {
    venue = null;
    throw error;
  });
  return venue;
}
