// Has drafts signed, and tracks their intents from the wallet to their final state. Only what the API reports from
// irreversible blocks is final.

import { read } from "../data/api.js";
import { signingBlocked } from "../data/integrity.js";
import { findBlock } from "../data/nodes.js";
import { latest } from "../data/stream.js";
import { ApiError } from "../lib/api-protocol.js";
import { hasSharedLocks, withLock } from "../lib/locks.js";
import { pending as strings } from "../strings/wallet.js";
import { OPEN_REASONS } from "./answers.js";
import { depositProblem } from "./deposit-check.js";
import { deadlineOf, withDeadline } from "./intents.js";
import { readOutcome } from "./outcome.js";
import {
  add, dismiss, isAtWallet, isOver, isUndecided, list, load, newIntent, note, onChange, update,
} from "./pending.js";
import { isRequestOf, onLateAnswer, sign, SLOW_MS } from "./wallet.js";

/** How long a signed order is valid, from when it goes to the wallet. */
const MARKET_ORDER_MS = 120_000;
const LIFETIME_MS = 600_000;
/** Lifetime of a transaction: it can be included in a block for ten minutes, or while co-signers sign for a day. */
const EXPIRATION_MS = 600_000;
const MULTISIG_MS = 86_400_000;
/** Clocks differ: an intent has expired this long after its deadline. */
const CLOCK_MARGIN_MS = 60_000;
const KEEP_MS = 86_400_000;
const RESUME_MS = 8000;
/** Heartbeats tell whether a page is alive where there are no locks; browsers slow down hidden ones. */
const HEARTBEAT_MS = 2000;
const HEARTBEAT_TIMEOUT_MS = 75_000;
const CHECKS_PER_HEAD = 3;
// Seconds before the first checks; the last value repeats.
const CHECK_PAUSES = [1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 5];
const MIN_CHECK_MS = 1000;

/** @typedef {import("./pending.js").Intent} Intent */

/** Intents for which this page waits. @type {Map<string, AbortController>} */
const atWallet = new Map();
/** @type {Map<string, {checks: number, timer: number, nudged: number}>} */
const tracked = new Map();
/** Intents of other pages, until those pages are gone. @type {Set<string>} */
const watched = new Set();

// -- signing ----------------------------------------------------------------------------------------------------------

/**
 * Have a draft signed and track it. Resolves once the wallet has answered, or nobody waits for it any more; null if
 * the intent was dismissed.
 * @param {import("./intents.js").Draft} draft
 * @returns {Promise<Intent|null>}
 */
export function submit(draft) {
  const { ref } = draft;
  const control = new AbortController();
  atWallet.set(ref, control);
  for (const intent of list()) if (isUnanswered(intent)) giveUp(intent.ref);
  // The lock tells other tabs that this page waits; the browser releases it when the page is gone.
  return withLock(lockOf(ref), async () => {
    add(newIntent(draft));
    const heartbeat = setInterval(() => note(ref, { beat: Date.now() }), HEARTBEAT_MS);
    const expiry = new Expiry(control, lifetimeOf(draft));
    try {
      const answer = await sign(draft, {
        giveUp: control.signal,
        onPhase: (state) => update(ref, { state }),
        prepare: (undated) => prepare(undated, expiry),
      });
      atWallet.delete(ref);
      await handleAnswer(ref, answer);
    } finally {
      atWallet.delete(ref);
      clearInterval(heartbeat);
      expiry.end();
    }
    return load(ref);
  });
}

const lockOf = (ref) => `peakedex.intent.${ref}`;

// The wallet has had it for so long without an answer that its window is probably closed: a new request replaces it.
const isUnanswered = (intent) => isAtWallet(intent) && intent.asked !== null && Date.now() - intent.asked > SLOW_MS;

/** Stops waiting once the draft is too old: in the queue, and from the beginning at the wallet. */
class Expiry {
  constructor(control, lifetime) {
    this.control = control;
    this.lifetime = lifetime;
    this.start();
  }

  start() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.control.abort("late"), this.lifetime);
  }

  end() {
    clearTimeout(this.timer);
  }
}

function lifetimeOf({ action, elements }) {
  const isStop = elements?.at(-1).contractPayload.triggerPrice !== undefined;
  return /^market/.test(action) && !isStop ? MARKET_ORDER_MS : LIFETIME_MS;
}

/** What is signed now that it is the draft's turn: with its deadline, and only if nothing speaks against it by now. */
async function prepare(draft, expiry) {
  const { ref } = draft;
  const problem = (await signingBlocked(draft)) || (await depositProblem(draft));
  if (problem) return { problem };
  expiry.start();
  const now = Date.now();
  const headTime = Date.parse(latest().head?.ts ?? "") || 0;
  const dated = withDeadline(draft, Math.ceil((Math.max(now, headTime) + expiry.lifetime) / 1000));
  note(ref, { draft: dated, asked: now });
  // Only a block that the API reports before the wallet answers is certainly older than the transaction.
  readHead().then((head) => head && atWallet.has(ref) && note(ref, { sinceBlock: head.block }));
  return { draft: dated };
}

async function handleAnswer(ref, answer) {
  if (answer.ok) {
    const { txId, multisig } = answer;
    update(ref, { state: "sent", txId, multisig, deadline: await readDeadline(ref, multisig), text: "", hint: "", reason: "" });
    track(ref);
  } else if (OPEN_REASONS.has(answer.reason)) {
    await markLost(ref, answer.reason, answer.message);
  } else {
    const outcome = NOT_SIGNED.has(answer.reason) ? "not_signed" : "refused";
    update(ref, { state: "failed", outcome, text: answer.message, hint: answer.hint });
  }
}

const NOT_SIGNED = new Set(["cancelled", "removed", "outdated"]);

/**
 * Stop waiting for the wallet, whichever tab waits. If the user still signs, the transaction counts.
 * @param {string} ref
 */
export function giveUp(ref) {
  const control = atWallet.get(ref);
  if (control) control.abort("user");
  else note(ref, { stop: true });
}

/** Stop waiting for the request that is at the wallet, so that the queued ones go on. */
export function giveUpOpen() {
  for (const intent of list()) if (isAtWallet(intent) && intent.asked !== null) giveUp(intent.ref);
}

// A request that was given up, or that the page made before it was reloaded. A transfer has no reference.
onLateAnswer((request, answer) => {
  const isIt = (intent) => !isOver(intent) && intent.asked !== null && intent.txId === null && !atWallet.has(intent.ref)
    && (isRequestOf(intent.draft, request) || refsOf(request).includes(intent.ref));
  const intent = list().findLast(isIt);
  if (intent) handleAnswer(intent.ref, answer);
});

function refsOf({ json }) {
  try {
    return [JSON.parse(json)].flat().map((element) => element?.contractPayload?.ref);
  } catch {
    return [];
  }
}

/** The time after which the intent can have no effect any more. */
async function readDeadline(ref, multisig) {
  const draft = load(ref)?.draft;
  const notAfter = draft && deadlineOf(draft);
  const isDeposit = !draft || draft.action === "deposit" || draft.about.deposit;
  if (notAfter && !isDeposit) return notAfter * 1000;
  const head = await readHead();
  return Math.max(Date.now(), head?.time ?? 0) + (multisig ? MULTISIG_MS : EXPIRATION_MS);
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

// -- tracking ---------------------------------------------------------------------------------------------------------

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
  if (!intent || isOver(intent)) {
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

// -- other pages ------------------------------------------------------------------------------------------------------

/** Continue with the intents of an earlier page or a closed tab, and remove old ones. */
function resume() {
  const now = Date.now();
  for (const intent of list()) {
    if (isOver(intent)) {
      if (now - intent.changed > KEEP_MS) dismiss(intent.ref);
    } else if (isUndecided(intent)) {
      track(intent.ref);
    } else if (!atWallet.has(intent.ref)) {
      watch(intent);
    }
  }
}

/** Wait until the page that waits for the wallet is gone, and with it the answer. */
async function watch({ ref, beat }) {
  if (!(await hasSharedLocks())) {
    if (Date.now() - beat > HEARTBEAT_TIMEOUT_MS) abandoned(ref);
  } else if (!watched.has(ref)) {
    watched.add(ref);
    await withLock(lockOf(ref), () => abandoned(ref));
    watched.delete(ref);
  }
}

async function abandoned(ref) {
  const intent = load(ref);
  if (!intent || !isAtWallet(intent) || atWallet.has(ref)) return;
  if (intent.asked === null) update(ref, { state: "failed", outcome: "not_signed", text: strings.pageClosed });
  else await markLost(ref, "page_closed", strings.answerLost);
}

/** It is unknown whether it was sent. */
async function markLost(ref, reason, text) {
  update(ref, { state: "lost", reason, text, deadline: await readDeadline(ref, false) });
  track(ref);
}

onChange((_, changed) => {
  if (changed?.stop) atWallet.get(changed.ref)?.abort("user");
  resume();
});
setInterval(resume, RESUME_MS);
