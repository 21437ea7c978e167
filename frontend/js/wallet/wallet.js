// Signing and broadcasting through Hive Keychain, or through the practice wallet, which has the same interface. Only
// this file uses the browser extension. A success means that one node accepted the transaction, nothing more.

import { signingBlocked } from "../data/integrity.js";
import { withLock } from "../lib/locks.js";
import { failure, interpret } from "./answers.js";
import { MAX_JSON_BYTES, jsonBytes } from "./intents.js";
import { provider } from "./provider.js";

const INJECTION_MS = 2000; // the extension injects its object after DOMContentLoaded
const HANDSHAKE_MS = 1000;
const POLL_MS = 50;
/** A request that waits longer than this for the one before it is shown as queued. */
const QUEUED_MS = 200;
/** With the posting key the wallet may sign without a window, within 1.4 s; later than this it has opened one. */
const WINDOW_MS = 1500;
/** After this time its window may be hidden. */
export const SLOW_MS = 20_000;
const STUCK_MS = 60_000;

const LOCK = "peakedex.wallet";
const METHODS = { active: "Active", posting: "Posting" };

/**
 * @typedef {import("./answers.js").Answer} Answer
 * @typedef {"queued"|"signing"|"waiting"|"slow"|"stuck"} Phase
 * `queued`: another request is at the wallet. `signing`: the wallet may sign without a window. `waiting`: its window
 * is open; `slow`, `stuck`: for a long time.
 */

/**
 * Detect the wallet, within three seconds.
 * @returns {Promise<"ready"|"missing"|"file"|"silent">}
 */
export async function detect() {
  const { state } = await find();
  return state;
}

let keychain = null;

async function find() {
  if (provider() === "practice") {
    const practice = await import("./practice-wallet.js");
    return { state: "ready", api: await practice.connect() };
  }
  if (location.protocol === "file:") return { state: "file" };
  keychain ??= findKeychain();
  const found = await keychain;
  if (found.state !== "ready") keychain = null; // it may be installed or woken later
  return found;
}

async function findKeychain() {
  const until = performance.now() + INJECTION_MS;
  while (!("hive_keychain" in window)) {
    if (performance.now() > until) return { state: "missing" };
    await pause(POLL_MS);
  }
  const api = window.hive_keychain;
  const handshake = new Promise((resolve) => api.requestHandshake(() => resolve(true)));
  if (!(await Promise.race([handshake, pause(HANDSHAKE_MS)]))) return { state: "silent" };
  // Keychain numbers requests from 1 on every page, so an answer to the previous page's request could match ours.
  api.current_id = 1_000_000 + crypto.getRandomValues(new Uint32Array(1))[0] % 2_000_000_000;
  return { state: "ready", api };
}

const pause = (ms) => new Promise((resolve) => setTimeout(() => resolve(false), ms));

/**
 * Sign and broadcast a draft. Requests go to the wallet strictly one after the other, across tabs too: a second one
 * would make Keychain drop the first, and then fail itself.
 * @param {import("./intents.js").Draft} draft
 * @param {{onPhase?: (phase: Phase) => void, giveUp?: AbortSignal,
 *   prepare?: (draft: import("./intents.js").Draft) => Promise<{draft: import("./intents.js").Draft} | {problem: string}>}} [options]
 *   `prepare` is called when it is the draft's turn, and returns what is signed, or why nothing is. The reason of
 *   `giveUp` is "late" if the draft has expired. An answer that comes after `giveUp` goes to `onLateAnswer`.
 * @returns {Promise<Answer>}
 */
export async function sign(draft, { onPhase = () => {}, giveUp, prepare = async (one) => ({ draft: one }) } = {}) {
  const timer = setTimeout(() => onPhase("queued"), QUEUED_MS);
  const work = () => {
    clearTimeout(timer);
    return ask(draft, prepare, onPhase, giveUp);
  };
  try {
    return await withLock(LOCK, work, giveUp);
  } catch (error) {
    if (giveUp?.aborted) return notAsked(giveUp);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const notAsked = ({ reason }) => failure(reason === "late" ? "outdated" : "removed");

async function ask(draft, prepare, onPhase, giveUp) {
  let found;
  try {
    found = await find();
  } catch (error) {
    return failure("refused", error.message); // the practice wallet could not connect
  }
  if (found.state !== "ready") return failure(found.state);
  const prepared = await prepare(draft);
  if ("problem" in prepared) return failure("blocked", prepared.problem);
  const mismatch = await signingBlocked(prepared.draft);
  if (mismatch) return failure("blocked", mismatch);
  if (giveUp?.aborted) return notAsked(giveUp);
  if (prepared.draft.json !== undefined && jsonBytes(prepared.draft.json) > MAX_JSON_BYTES) return failure("too_large");
  return request(found.api, prepared.draft, onPhase, giveUp);
}

/** The request at the wallet. @type {{draft: import("./intents.js").Draft, id: number, resolve: (answer: Answer) => void}|null} */
let open = null;

function request(api, draft, onPhase, giveUp) {
  const timers = [[SLOW_MS, "slow"], [STUCK_MS, "stuck"]].map(([ms, phase]) => setTimeout(() => onPhase(phase), ms));
  if (draft.authority === "posting") {
    onPhase("signing");
    timers.push(setTimeout(() => onPhase("waiting"), WINDOW_MS));
  } else {
    onPhase("waiting");
  }
  const answer = new Promise((resolve) => {
    open = { draft, id: api.current_id, resolve };
    giveUp?.addEventListener("abort", () => resolve(failure(giveUp.reason === "late" ? "no_answer" : "given_up")), { once: true });
    if (draft.kind === "transfer") {
      api.requestTransfer(draft.account, draft.to, draft.amount, draft.memo, draft.symbol, deliver, true);
    } else {
      api.requestCustomJson(draft.account, draft.id, METHODS[draft.authority ?? "active"], draft.json, draft.message, deliver);
    }
  });
  return answer.finally(() => {
    timers.forEach(clearTimeout);
    open = null;
  });
}

// -- answers ----------------------------------------------------------------------------------------------------------

/** @type {Set<(request: any, answer: Answer) => void>} */
const lateListeners = new Set();
/** Answers come twice: to the callback, and as a message. */
const delivered = new WeakSet();

/**
 * Call with Keychain's answers to requests for which nobody waits any more: those given up, and those of this tab's
 * page before a reload.
 * @param {(request: any, answer: Answer) => void} listener
 */
export function onLateAnswer(listener) {
  lateListeners.add(listener);
}

function deliver(answer) {
  if (!answer?.data || typeof answer.data !== "object" || delivered.has(answer)) return;
  delivered.add(answer);
  if (open && answer.request_id === open.id && isRequestOf(open.draft, answer.data)) open.resolve(interpret(answer));
  else for (const listener of lateListeners) listener(answer.data, interpret(answer));
}

/**
 * Whether Keychain's copy of a request is that of the draft.
 * @param {import("./intents.js").Draft} draft
 * @param {any} data
 */
export function isRequestOf(draft, data) {
  if (data.username !== draft.account) return false;
  if (draft.kind === "custom_json") return data.id === draft.id && data.json === draft.json;
  return data.to === draft.to && data.amount === draft.amount && data.currency === draft.symbol && data.memo === draft.memo;
}

// After a reload no callback is left; the answer still comes as a message, with the request in it.
addEventListener("message", ({ source, data }) => {
  if (source === window && data?.type === "hive_keychain_response") deliver(data.response);
});
