// Tracks intents from the wallet to their final state. Each is stored in this browser until it is final, so that a
// reload or another tab continues. Only what the API reports from irreversible blocks is final.

import { ApiError, read } from "../data/api.js";
import { findBlock } from "../data/nodes.js";
import { latest } from "../data/stream.js";
import { local, localKeys, session } from "../lib/storage.js";
import { deadlineOf, withDeadline } from "./intents.js";
import { readOutcome } from "./outcome.js";
import { sign } from "./wallet.js";

/** Lifetime of a transaction: it can be included in a block for ten minutes. */
const EXPIRATION_MS = 600_000;
/** How long a request to the wallet is valid: what is signed later is rejected. */
const SIGNING_MS = 900_000;
/** Clocks differ: an intent has expired this long after its deadline. */
const CLOCK_MARGIN_MS = 60_000;
const KEEP_MS = 86_400_000;
const HEARTBEAT_MS = 2000;
const TAB_TIMEOUT_MS = 8000;
const PREFIX = "peakedex.intent.";
const CHECKS_PER_HEAD = 3;
// Seconds before the first checks; the last value repeats.
const CHECK_PAUSES = [1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 5];
const MIN_CHECK_MS = 1000;

const AT_WALLET = new Set(["waiting", "slow", "stuck"]);
const OVER = new Set(["final", "failed"]);

/**
 * @typedef {{ref: string, account: string, action: string, draft: import("./intents.js").Draft,
 *   state: "waiting"|"slow"|"stuck"|"sent"|"in_block"|"lost"|"final"|"failed", outcome: string|null,
 *   code: string|null, text: string, hint: string, txId: string|null, multisig: boolean, created: number,
 *   changed: number, deadline: number|null, sinceBlock: number|null, block: number|null, order: any, beat: number,
 *   tab: string}} Intent
 * `waiting`, `slow`, `stuck`: at the wallet. `lost`: it is unknown whether it was sent. `sinceBlock`: the newest block
 * before it was signed. Times are in milliseconds since 1970; `beat` is the last heartbeat of the tab that signs.
 */

/** @type {Set<(intents: Intent[], changed: Intent|null) => void>} */
const listeners = new Set();
/** @type {Map<string, AbortController>} */
const atWallet = new Map();
/** @type {Map<string, {checks: number, timer: number, nudged: number}>} */
const tracked = new Map();
const tab = tabId();

/** Identifies this tab across reloads. */
function tabId() {
  const key = "peakedex.tab";
  const id = session.getItem(key) ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
  session.setItem(key, id);
  return id;
}

// -- storage -----------------------------------------------------------------------------------------------------

/** All intents of this browser, newest first. @returns {Intent[]} */
export function list() {
  const keys = localKeys().filter((key) => key.startsWith(PREFIX));
  const found = keys.map((key) => parse(local.getItem(key))).filter(Boolean);
  return found.sort((a, b) => b.created - a.created);
}

function parse(text) {
  try {
    const intent = JSON.parse(text ?? "");
    return intent && typeof intent.ref === "string" && intent.draft ? intent : null;
  } catch {
    return null; // not JSON: written by another program, or none
  }
}

const load = (ref) => parse(local.getItem(PREFIX + ref));

/** Update a stored intent and notify. An intent that is over, or was dismissed, does not change. */
function update(ref, change) {
  const intent = store(ref, { ...change, changed: Date.now() });
  if (intent) notify(intent);
}

function store(ref, change) {
  const intent = load(ref);
  if (!intent || OVER.has(intent.state)) return null;
  const next = { ...intent, ...change };
  local.setItem(PREFIX + ref, JSON.stringify(next));
  return next;
}

/**
 * Call with all intents now, and again with the changed one whenever one changes, here or in another tab.
 * @param {(intents: Intent[], changed: Intent|null) => void} listener
 */
export function onChange(listener) {
  listeners.add(listener);
  listener(list(), null);
}

function notify(changed) {
  const intents = list();
  for (const listener of listeners) listener(intents, changed);
}

/**
 * Remove an intent that is over.
 * @param {string} ref
 */
export function dismiss(ref) {
  const intent = load(ref);
  if (!intent || !OVER.has(intent.state)) return;
  local.removeItem(PREFIX + ref);
  notify(intent);
}

/** Whether its state is final or failed. @param {Intent} intent */
export const isOver = (intent) => OVER.has(intent.state);

// -- signing -----------------------------------------------------------------------------------------------------

/**
 * Have a draft signed and track it. Resolves once the wallet has answered, or the user stopped waiting.
 * @param {import("./intents.js").Draft} undated
 * @returns {Promise<Intent>}
 */
export async function submit(undated) {
  const now = Date.now();
  const headTime = Date.parse(latest().head?.ts ?? "") || 0;
  const draft = withDeadline(undated, Math.ceil((Math.max(now, headTime) + SIGNING_MS) / 1000));
  const { ref } = draft;
  const control = new AbortController();
  atWallet.set(ref, control);
  const intent = {
    ref, account: draft.account, action: draft.action, draft, state: "waiting", outcome: null, code: null, text: "",
    hint: "", txId: null, multisig: false, created: now, changed: now, deadline: null, sinceBlock: null, block: null,
    order: null, beat: now, tab,
  };
  local.setItem(PREFIX + ref, JSON.stringify(intent));
  notify(intent);
  // Only a block that the API reports before the wallet answers is certainly older than the transaction.
  readHead().then((head) => head && atWallet.has(ref) && store(ref, { sinceBlock: head.block }));
  const heartbeat = setInterval(() => store(ref, { beat: Date.now() }), HEARTBEAT_MS);
  const answer = await sign(draft, { giveUp: control.signal, onPhase: (phase) => update(ref, { state: phase }) });
  clearInterval(heartbeat);
  atWallet.delete(ref);
  await handleAnswer(ref, answer);
  if (!answer.ok && answer.late) answer.late.then((late) => handleAnswer(ref, late));
  return load(ref);
}

async function handleAnswer(ref, answer) {
  if (answer.ok) {
    const { txId, multisig } = answer;
    update(ref, { state: "sent", txId, multisig, deadline: await readDeadline(), text: "", hint: "" });
    track(ref);
  } else if (answer.reason === "unclear" || answer.reason === "given_up") {
    update(ref, { state: "lost", deadline: await readLastDeadline(ref), text: answer.message, hint: answer.hint });
    track(ref);
  } else {
    const outcome = answer.reason === "cancelled" ? "not_signed" : "refused";
    update(ref, { state: "failed", outcome, text: answer.message, hint: answer.hint });
  }
}

/**
 * Stop waiting for the wallet. If the user still signs, the transaction counts.
 * @param {string} ref
 */
export function giveUp(ref) {
  atWallet.get(ref)?.abort();
}

/** The deadline of an intent that may be signed later. */
async function readLastDeadline(ref) {
  const notAfter = deadlineOf(load(ref)?.draft ?? {});
  return notAfter === null ? readDeadline() : notAfter * 1000;
}

async function readDeadline() {
  const head = await readHead();
  return Math.max(Date.now(), head?.time ?? 0) + EXPIRATION_MS;
}

/** Number and time of the newest block that the API has read; null if it does not answer. */
async function readHead() {
  try {
    const { block, ts } = await read("health");
    return block === null ? null : { block, time: ts ? Date.parse(ts) : 0 };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return null;
  }
}

// -- tracking ----------------------------------------------------------------------------------------------------

function track(ref) {
  if (tracked.has(ref)) return;
  tracked.set(ref, { checks: 0, timer: 0, nudged: 0 });
  check(ref);
}

async function check(ref) {
  const entry = tracked.get(ref);
  if (!entry) return;
  clearTimeout(entry.timer);
  entry.timer = 0;
  const intent = load(ref);
  if (!intent || OVER.has(intent.state)) {
    tracked.delete(ref);
    return;
  }
  try {
    await advance(intent, entry.checks);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the API does not answer: check again later
  } finally {
    const pause = CHECK_PAUSES[Math.min(entry.checks, CHECK_PAUSES.length - 1)];
    entry.checks += 1;
    entry.timer = setTimeout(() => check(ref), pause * 1000);
  }
}

/** Check whether the intent is decided, in a block, or expired. */
async function advance(intent, checks) {
  // Read before the outcome: an intent without an outcome is in no block up to this head.
  const head = checks % CHECKS_PER_HEAD === 0 ? await readHead() : null;
  const outcome = await readOutcome(intent, transactionsOfOthers(intent));
  if (outcome) {
    update(intent.ref, { state: "final", ...outcome });
    return;
  }
  const block = intent.txId ? await findBlock(intent.txId) : null;
  if (block !== null && block !== intent.block) update(intent.ref, { state: "in_block", block });
  if (!head) return;
  const isExpired = intent.deadline !== null && head.time > intent.deadline + CLOCK_MARGIN_MS;
  // A deposit of tokens that is in a block, but that the sidechain did not execute.
  const isRefused = intent.action === "deposit" && block !== null && block <= head.block;
  if (isExpired || isRefused) update(intent.ref, { state: "failed", outcome: block === null ? "not_included" : "no_effect" });
}

/** Transactions of other intents, to tell two identical deposits apart. */
function transactionsOfOthers(intent) {
  return new Set(list().filter((other) => other.ref !== intent.ref && other.txId).map((other) => other.txId));
}

/** Check all tracked intents now, each at most once a second. */
export function checkNow() {
  for (const [ref, entry] of tracked) {
    if (!entry.timer || entry.nudged > Date.now() - MIN_CHECK_MS) continue;
    entry.nudged = Date.now();
    check(ref);
  }
}

/** Continue with the intents of an earlier page or a closed tab, and remove old ones. */
function resume() {
  const now = Date.now();
  for (const intent of list()) {
    if (OVER.has(intent.state)) {
      if (now - intent.changed > KEEP_MS) local.removeItem(PREFIX + intent.ref);
    } else if (AT_WALLET.has(intent.state)) {
      const isAbandoned = intent.tab === tab || now - intent.beat > TAB_TIMEOUT_MS;
      if (!atWallet.has(intent.ref) && isAbandoned) markLost(intent.ref);
    } else {
      track(intent.ref);
    }
  }
}

/** The page that waited for the wallet is gone, and with it the answer. */
async function markLost(ref) {
  update(ref, { state: "lost", deadline: await readLastDeadline(ref) });
  track(ref);
}

addEventListener("storage", (event) => {
  if (event.key !== null && !event.key.startsWith(PREFIX)) return;
  notify(parse(event.newValue));
  resume();
});
resume();
setInterval(resume, TAB_TIMEOUT_MS);
