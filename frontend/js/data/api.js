// Client of the read API. It sends GET requests only; all data is public.

import { config } from "../../config.js";
import { api as strings } from "../strings/common.js";

const TIMEOUT_MS = 10_000;

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
 * @param {Record<string, string|number|null|undefined>} [parameters]
 */
export function apiUrl(path, parameters = {}) {
  const url = new URL(path, config.api);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/**
 * Get JSON.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function read(path, parameters = {}) {
  const response = await request(path, parameters);
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new ApiError(body?.detail || body?.error || strings.status(response.status), response.status, body?.code ?? "");
}

/**
 * Get text.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<{text: string, headers: Headers}>}
 * @throws {ApiError}
 */
export async function readText(path, parameters = {}) {
  const response = await request(path, parameters);
  if (!response.ok) throw new ApiError(strings.status(response.status), response.status, "");
  return { text: await response.text(), headers: response.headers };
}

async function request(path, parameters) {
  try {
    return await fetch(apiUrl(path, parameters), { signal: AbortSignal.timeout(TIMEOUT_MS), credentials: "omit" });
  } catch {
    throw new ApiError(navigator.onLine ? strings.unreachable : strings.offline, 0, "");
  }
}

let venue = null;

/**
 * The venue: tokens, pairs and escrow accounts. Cached for the life of the page; a failed request is not.
 * @returns {Promise<any>}
 */
export function readVenue() {
  venue ??= read("venue").catch((error) => {
    venue = null;
    throw error;
  });
  return venue;
}
