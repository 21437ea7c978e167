// How the read API is read: addresses, answers, errors, and the sequence of its stream. Also used outside the site, by
// the JavaScript client.

import { api as strings } from "../strings/common.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** A failed request. `status` is 0 if the server could not be reached. */
export class ApiError extends Error {
  /**
   * @param {string} message a sentence for the user
   * @param {number} status
   * @param {string} code of the API's error
   */
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * The URL of a path; empty parameters are left out.
 * @param {string} path such as "orderbook"
 * @param {Record<string, string|number|null|undefined>} parameters
 * @param {string} api its address, with a slash at its end
 */
export function addressOf(path, parameters, api) {
  const url = new URL(path, api);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/**
 * Get a body, whatever the status.
 * @template T
 * @param {string} url
 * @param {(text: string) => T} parse
 * @param {number} timeout in milliseconds
 * @param {RequestCache} [cache]
 * @returns {Promise<{response: Response, body: T}>}
 */
export async function get(url, parse, timeout, cache = "default") {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout), credentials: "omit", cache });
  const text = await response.text(); // before the timeout, too
  return { response, body: parse(text) };
}

/** The JSON value; null if the text is none. @param {string} text @returns {any} */
export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The body of a successful answer.
 * @param {{response: Response, body: any}} answer
 * @returns {any}
 * @throws {ApiError}
 */
export function content({ response, body }) {
  if (response.ok && body) return body;
  throw new ApiError(body?.detail || body?.error || strings.status(response.status), response.status, body?.code ?? "");
}

/**
 * Exponential backoff with jitter: milliseconds to wait after so many failures.
 * @param {number} failures from 1
 * @param {number} jitter from 0 to 1
 */
export function backoff(failures, jitter = Math.random()) {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return Math.round(full * (0.5 + jitter / 2));
}

/**
 * Place of a change in the sequence: a duplicate, the next one, or one after a gap.
 * @param {number|null} seq of the last change or snapshot
 * @param {{seq: number, prev: number}} change
 * @returns {"duplicate"|"gap"|"next"}
 */
export function checkSequence(seq, change) {
  if (seq === null) return "gap";
  if (change.seq <= seq) return "duplicate";
  return change.prev === seq ? "next" : "gap";
}
