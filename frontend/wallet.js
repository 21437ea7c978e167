// The wallet that signs: Hive Keychain, or the practice wallet of a devnet, which answers exactly like it. No other
// file names the extension. A success means that one node took the transaction, and nothing more.

import { MAX_JSON_BYTES, jsonBytes } from "./intents.js";
import { account } from "./session.js";
import { wallet as words } from "./strings.js";

const INJECTED_MS = 2000; // it comes after DOMContentLoaded
const HANDSHAKE_MS = 1000;
const POLL_MS = 50;
/** After so long without an answer the window is perhaps hidden; then one may give up. */
export const SLOW_MS = 20_000;
export const STUCK_MS = 60_000;

const KEY = "peakedex.wallet";
const LOCK = "peakedex.wallet";
const TX_ID = /^[0-9a-f]{40}$/;

/**
 * @typedef {{ok: true, txId: string|null, multisig: boolean}
 *   | {ok: false, reason: Reason, message: string, hint: string, late?: Promise<Answer>}} Answer
 * @typedef {"cancelled"|"malformed"|"refused"|"unclear"|"no_wallet"|"too_large"|"missing"|"file"|"silent"
 *   |"given_up"} Reason
 * `unclear`: it may be in the chain, or come into it. `given_up`: nobody waits any more; `late` is the answer if
 * it still comes.
 */

const events = new EventTarget();
let open = 0;

/** Whether a request is open or waits for its turn: then buttons that sign are disabled. */
export const isBusy = () => open > 0;

/**
 * Call whenever `isBusy` or the provider may have changed.
 * @param {() => void} listener
 */
export function onWallet(listener) {
  events.addEventListener("change", listener);
}

const tell = () => events.dispatchEvent(new Event("change"));

/**
 * Which wallet signs. Only an account that was made for practising is practised with.
 * @returns {"keychain"|"practice"}
 */
export function provider() {
  const practises = localStorage.getItem(KEY) === "practice" && account()?.startsWith("practice-");
  return practises ? "practice" : "keychain";
}

/**
 * Choose the wallet.
 * @param {"keychain"|"practice"} name
 */
export function choose(name) {
  if (name === "practice") localStorage.setItem(KEY, name);
  else localStorage.removeItem(KEY);
  tell();
}

addEventListener("storage", (event) => {
  if (event.key === KEY) tell();
});

/**
 * Whether the chosen wallet is there: at most three seconds, and never twice as soon as it was.
 * @returns {Promise<"ready"|"missing"|"file"|"silent">}
 */
export async function detect() {
  const { state } = await find();
  return state;
}

let ready = null;

async function find() {
  if (provider() === "practice") {
    const practice = await import("./practice.js");
    return { state: "ready", api: await practice.connect() };
  }
  if (location.protocol === "file:") return { state: "file" };
  ready ??= findKeychain();
  const found = await ready;
  if (found.state !== "ready") ready = null; // it may be installed, or woken, meanwhile
  return found;
}

async function findKeychain() {
  const until = performance.now() + INJECTED_MS;
  while (!("hive_keychain" in window)) {
    if (performance.now() > until) return { state: "missing" };
    await pause(POLL_MS);
  }
  const api = window.hive_keychain;
  const shaken = new Promise((resolve) => api.requestHandshake(() => resolve(true)));
  const answered = await Promise.race([shaken, pause(HANDSHAKE_MS)]);
  if (!answered) return { state: "silent" };
  // Its requests are numbered from 1 in every page: the answer to a window of the page before would be ours.
  api.current_id = 1_000_000 + crypto.getRandomValues(new Uint32Array(1))[0] % 2_000_000_000;
  return { state: "ready", api };
}

const pause = (ms) => new Promise((resolve) => setTimeout(() => resolve(false), ms));

/**
 * Have a draft signed and sent. Requests wait for each other, in other tabs too.
 * @param {import("./intents.js").Draft} draft
 * @param {{onPhase?: (phase: "waiting"|"slow"|"stuck") => void, giveUp?: AbortSignal}} [options]
 * @returns {Promise<Answer>}
 */
export async function sign(draft, { onPhase = () => {}, giveUp } = {}) {
  if (draft.json !== undefined && jsonBytes(draft.json) > MAX_JSON_BYTES) return failure("too_large");
  open += 1;
  tell();
  try {
    return await inTurn(() => ask(draft, onPhase, giveUp), giveUp);
  } finally {
    open -= 1;
    tell();
  }
}

let turn = Promise.resolve();

/** One at a time: a second request would make the wallet drop the first, and then fail itself. */
async function inTurn(work, giveUp) {
  if (navigator.locks) {
    try {
      return await navigator.locks.request(LOCK, giveUp ? { signal: giveUp } : {}, work);
    } catch (error) {
      if (giveUp?.aborted) return failure("given_up");
      throw error;
    }
  }
  const before = turn;
  let done = () => {};
  turn = new Promise((resolve) => { done = resolve; });
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
    return failure("refused", error.message);
  }
  if (found.state !== "ready") return failure(found.state);
  onPhase("waiting");
  const timers = [setTimeout(() => onPhase("slow"), SLOW_MS), setTimeout(() => onPhase("stuck"), STUCK_MS)];
  const answer = request(found.api, draft).then(read);
  const given = new Promise((resolve) => {
    if (giveUp?.aborted) resolve(null);
    giveUp?.addEventListener("abort", () => resolve(null), { once: true });
  });
  const first = await Promise.race([answer, given]);
  timers.forEach(clearTimeout);
  return first ?? { ...failure("given_up"), late: answer };
}

/** The wallet's raw answer to exactly this draft; never, where the wallet stays silent. */
function request(api, draft) {
  return new Promise((resolve) => {
    const id = api.current_id;
    const listen = (answer) => {
      if (isAnswerTo(answer, draft)) resolve(answer);
      else queueMicrotask(() => { api.requests[id] = listen; }); // the wallet forgets whom it has called
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
function read(answer) {
  if (answer.success) {
    const result = answer.result ?? {};
    const id = [result.tx_id, result.id].find((text) => typeof text === "string" && TX_ID.test(text));
    return { ok: true, txId: id ?? null, multisig: result.isUsingMultisig === true };
  }
  const { error } = answer;
  if (error === "user_cancel" || error === "ignored") return failure("cancelled", "", answer.data?.username);
  if (error === "no_wallet") return failure("no_wallet");
  if (error === "incomplete") {
    const report = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    console.info(`report ${report}:`, plainText(answer.message)); // for the one who looks into it with the trader
    return failure("malformed", words.malformed(report));
  }
  return refusal(`${plainText(answer.message)} ${plainText(error?.message)} ${typeof error === "string" ? error : ""}`);
}

// What nodes say when they have looked at a transaction and will not have it. Anything else is no clear answer: the
// transaction may have been taken all the same.
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
  if (known) return failure("refused", words.refusals[known[1]]);
  return REFUSED.test(text) ? failure("refused", words.refused) : failure("unclear");
}

const plainText = (text) => (typeof text === "string" ? text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim() : "");

function failure(reason, message = "", account = "") {
  const text = words.reasons[reason];
  return { ok: false, reason, message: message || text.message, hint: text.hint ? text.hint(account) : "" };
}
