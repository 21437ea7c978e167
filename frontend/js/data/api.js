// Client of the read API. It sends GET requests only; all data is public. Of several APIs it uses one, and changes to
// the next if that does not answer.

import { config } from "../../config.js";
import { addressOf, ApiError, content, get, parseJson } from "../lib/api-protocol.js";
import { local, localJson } from "../lib/storage.js";
import { api as strings } from "../strings/common.js";

const TIMEOUT_MS = 10_000;
/** While there is another API to try. */
const SHORT_TIMEOUT_MS = 4000;
/** So long, new pages begin with the API that answered last. */
const REMEMBER_MS = 600_000;
const KEY = "peakedex.api";
/** Statuses of an API that is down: a proxy's, or its own without a database. */
const UNAVAILABLE = new Set([502, 503, 504]);

let current = rememberedApi();
/** @type {Set<() => void>} */
const listeners = new Set();

function rememberedApi() {
  const kept = localJson(KEY);
  const isFresh = Math.abs(Date.now() - kept?.ts) < REMEMBER_MS;
  return config.apis.includes(kept?.url) && isFresh ? kept.url : config.apis[0];
}

/** The address of the API in use, with a slash at its end. */
export const apiInUse = () => current;

/**
 * Call whenever another API comes into use.
 * @param {() => void} listener
 */
export function onApiChange(listener) {
  listeners.add(listener);
}

function changeApi(url) {
  current = url;
  local.setItem(KEY, JSON.stringify({ url, ts: Date.now() }));
  for (const listener of listeners) listener();
}

/**
 * The URL of a path; empty parameters are left out.
 * @param {string} path such as "orderbook"
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @param {string} [api]
 */
export const apiUrl = (path, parameters = {}, api = current) => addressOf(path, parameters, api);

/**
 * Get JSON.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function read(path, parameters = {}) {
  return content(await request(path, parameters, parseJson));
}

/**
 * Get text.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @returns {Promise<{text: string, headers: Headers}>}
 * @throws {ApiError}
 */
export async function readText(path, parameters = {}) {
  const { response, body } = await request(path, parameters, (text) => text);
  if (!response.ok) content({ response, body: parseJson(body) });
  return { text: body, headers: response.headers };
}

/**
 * Get JSON from this API and no other, past the browser's cache.
 * @param {string} api
 * @param {string} path
 * @param {number} timeout in milliseconds
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function readFrom(api, path, timeout) {
  let answer;
  try {
    answer = await get(apiUrl(path, {}, api), parseJson, timeout, "no-store");
  } catch {
    throw unreachable();
  }
  return content(answer);
}

async function request(path, parameters, parse) {
  const before = current;
  const first = config.apis.indexOf(before);
  const order = [...config.apis.slice(first), ...config.apis.slice(0, first)];
  for (const [at, api] of order.entries()) {
    const isLast = at === order.length - 1;
    try {
      const answer = await get(apiUrl(path, parameters, api), parse, isLast ? TIMEOUT_MS : SHORT_TIMEOUT_MS);
      const isUp = !UNAVAILABLE.has(answer.response.status);
      // Another request may have changed the API meanwhile.
      if (isUp && api !== before && current === before) changeApi(api);
      if (isUp || isLast) return answer;
    } catch {
      if (isLast) break;
    }
  }
  throw unreachable();
}

const unreachable = () => new ApiError(navigator.onLine ? strings.unreachable : strings.offline, 0, "");

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
