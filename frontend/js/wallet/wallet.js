// Signing and broadcasting through Hive Keychain, or through the practice wallet, which has the same interface. Only
// this file uses the browser extension. A success means that one node accepted the transaction, nothing more.

import { wallet as strings } from "../strings/wallet.js";
import { MAX_JSON_BYTES, jsonBytes } from "./intents.js";
import { provider } from "./provider.js";

const INJECTION_MS = 2000; // the extension injects its object after DOMContentLoaded
const HANDSHAKE_MS = 1000;
const POLL_MS = 50;
/** After this time its window may be hidden; after the next the user may stop waiting. */
export const SLOW_MS = 20_000;
export const STUCK_MS = 60_000;

const LOCK = "peakedex.wallet";
const TX_ID = /^[0-9a-f]{40}$/;

/**
 * @typedef {{ok: true, txId: string|null, multisig: boolean}
 *   | {ok: false, reason: Reason, message: string, hint: string, late?: Promise<Answer>}} Answer
 * @typedef {"cancelled"|"malformed"|"refused"|"unclear"|"no_wallet"|"too_large"|"missing"|"file"|"silent"
 *   |"given_up"} Reason
 * `unclear`: it may be included in a block. `given_up`: the user stopped waiting; `late` resolves if the wallet
 * still answers.
 */

const events = new EventTarget();
let openRequests = 0;

/** Whether a request is open or queued; buttons that sign are disabled then. */
export const isBusy = () => openRequests > 0;

/**
 * Call whenever `isBusy` may have changed.
 * @param {() => void} listener
 */
export function onBusyChange(listener) {
  events.addEventListener("change", listener);
}

function countRequests(change) {
  openRequests += change;
  events.dispatchEvent(new Event("change"));
}

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
 * Sign and broadcast a draft. Requests are serialized, across tabs too.
 * @param {import("./intents.js").Draft} draft
 * @param {{onPhase?: (phase: "waiting"|"slow"|"stuck") => void, giveUp?: AbortSignal}} [options]
 * @returns {Promise<Answer>}
 */
export async function sign(draft, { onPhase = () => {}, giveUp } = {}) {
  if (draft.json !== undefined && jsonBytes(draft.json) > MAX_JSON_BYTES) return failure("too_large");
  countRequests(1);
  try {
    return await exclusively(() => ask(draft, onPhase, giveUp), giveUp);
  } finally {
    countRequests(-1);
  }
}

let previous = Promise.resolve();

/** Run one at a time: a second request would make Keychain drop the first, and then fail itself. */
async function exclusively(work, giveUp) {
  if (navigator.locks) {
    try {
      return await navigator.locks.request(LOCK, giveUp ? { signal: giveUp } : {}, work);
    } catch (error) {
      if (giveUp?.aborted) return failure("given_up");
      throw error;
    }
  }
  const before = previous;
  let done = () => {};
  previous = new Promise((resolve) => { done = resolve; });
  try {
    await before;
    return await work();
  } finally {
    done();
  }
}

async function ask(draft, onPhase, giveUp) {
  let found;
  try {
    found = await find();
  } catch (error) {
    return failure("refused", error.message); // the practice wallet could not connect
  }
  if (found.state !== "ready") return failure(found.state);
  onPhase("waiting");
  const timers = [setTimeout(() => onPhase("slow"), SLOW_MS), setTimeout(() => onPhase("stuck"), STUCK_MS)];
  const answer = request(found.api, draft).then(interpret);
  const aborted = new Promise((resolve) => {
    if (giveUp?.aborted) resolve(null);
    giveUp?.addEventListener("abort", () => resolve(null), { once: true });
  });
  const first = await Promise.race([answer, aborted]);
  timers.forEach(clearTimeout);
  return first ?? { ...failure("given_up"), late: answer };
}

/** The wallet's raw answer to this draft. Never resolves if the wallet stays silent. */
function request(api, draft) {
  return new Promise((resolve) => {
    const id = api.current_id;
    const listen = (answer) => {
      if (isAnswerTo(answer, draft)) resolve(answer);
      else queueMicrotask(() => { api.requests[id] = listen; }); // Keychain removes a listener that it has called
    };
    if (draft.kind === "transfer") {
      api.requestTransfer(draft.account, draft.to, draft.amount, draft.memo, draft.symbol, listen, true);
    } else {
      api.requestCustomJson(draft.account, draft.id, "Active", draft.json, draft.message, listen);
    }
  });
}

function isAnswerTo(answer, draft) {
  const data = answer?.data;
  if (!data || typeof data !== "object" || data.username !== draft.account) return false;
  if (draft.kind === "transfer") {
    return data.to === draft.to && data.amount === draft.amount && data.currency === draft.symbol && data.memo === draft.memo;
  }
  return data.id === draft.id && data.json === draft.json;
}

/** @returns {Answer} */
function interpret(answer) {
  if (answer.success) {
    const result = answer.result ?? {};
    const id = [result.tx_id, result.id].find((text) => typeof text === "string" && TX_ID.test(text));
    return { ok: true, txId: id ?? null, multisig: result.isUsingMultisig === true };
  }
  const { error } = answer;
  if (error === "ignored") return failure("unclear", strings.dropped); // it may have been broadcast nevertheless
  if (error === "user_cancel") return failure("cancelled", "", answer.data?.username);
  if (error === "no_wallet") return failure("no_wallet");
  if (error === "incomplete") {
    const report = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    console.info(`report ${report}:`, plainText(answer.message)); // for support
    return failure("malformed", strings.malformed(report));
  }
  return refusal(`${plainText(answer.message)} ${plainText(error?.message)} ${typeof error === "string" ? error : ""}`);
}

// How nodes word a refusal. Any other error is no clear answer: the transaction may have been accepted.
const REFUSALS = [
  [/expir/i, "clock"],
  [/not_enough_rc|\brc\b|resource credit/i, "credits"],
  [/custom.?json|custom operation/i, "customs"],
  [/sufficient funds|insufficient|overdrawn/i, "funds"],
  [/missing required|missing authority|irrelevant signature/i, "authority"],
];
const REFUSED = /xception|assert|invalid|unknown account|does not exist/i;

function refusal(text) {
  if (/duplicate transaction/i.test(text)) return failure("unclear");
  const known = REFUSALS.find(([pattern]) => pattern.test(text));
  if (known) return failure("refused", strings.refusals[known[1]]);
  return failure(REFUSED.test(text) ? "refused" : "unclear");
}

const plainText = (text) => (typeof text === "string" ? text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim() : "");

function failure(reason, message = "", account = "") {
  const text = strings.reasons[reason];
  return { ok: false, reason, message: message || text.message, hint: text.hint ? text.hint(account) : "" };
}
