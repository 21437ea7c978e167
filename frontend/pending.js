// The life of an intent, from the wallet to its end. Each is kept in this browser until it is over, so a reload or
// another tab goes on with it. What the API reports from irreversible blocks is the truth; the rest is waiting.

import { ApiError, read } from "./api.js";
import { inBlock } from "./nodes.js";
import { outcomeOf } from "./outcome.js";
import { sign } from "./wallet.js";

/** A wallet's transaction can enter a block for ten minutes. */
const LIFE_MS = 600_000;
/** Clocks differ: only so long after the deadline nothing can come any more. */
const MARGIN_MS = 60_000;
const KEEP_MS = 86_400_000;
const BEAT_MS = 2000;
const DEAD_MS = 8000;
const PREFIX = "peakedex.intent.";
const LOOKS_A_POSITION = 3;
// Seconds between two looks: quick at first, then ever slower.
const PAUSES = [1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 5];

const AT_WALLET = new Set(["waiting", "slow", "stuck"]);
const OVER = new Set(["final", "failed"]);

/**
 * @typedef {{ref: string, account: string, action: string, draft: import("./intents.js").Draft,
 *   state: "waiting"|"slow"|"stuck"|"sent"|"in_block"|"lost"|"final"|"failed", outcome: string|null,
 *   code: string|null, text: string, hint: string, txId: string|null, multisig: boolean, created: number,
 *   changed: number, deadline: number|null, sinceBlock: number|null, block: number|null, order: any, beat: number,
 *   tab: string}} Intent
 * `waiting`, `slow`, `stuck`: at the wallet. `lost`: nobody knows whether it was sent. `sinceBlock`: the
 * newest block before it was signed. `deadline` in milliseconds since 1970.
 */

/** @type {Set<(intents: Intent[], changed: Intent|null) => void>} */
const listeners = new Set();
/** @type {Map<string, AbortController>} */
const atWallet = new Map();
/** @type {Map<string, {tries: number, timer: number}>} */
const followed = new Map();
const tab = tabId();

/** Lets one tell a reload of this tab from another tab. */
function tabId() {
  const key = "peakedex.tab";
  const known = sessionStorage.getItem(key);
  const id = known ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
  sessionStorage.setItem(key, id);
  return id;
}

// -- the store ---------------------------------------------------------------------------------------------------

/** All intents of this browser, newest first. @returns {Intent[]} */
export function list() {
  const found = [];
  for (const key of Object.keys(localStorage)) {
    const intent = key.startsWith(PREFIX) ? parsed(localStorage.getItem(key)) : null;
    if (intent) found.push(intent);
  }
  return found.sort((a, b) => b.created - a.created);
}

function parsed(text) {
  try {
    const intent = JSON.parse(text ?? "");
    return intent && typeof intent.ref === "string" && intent.draft ? intent : null;
  } catch {
    return null;
  }
}

const load = (ref) => parsed(localStorage.getItem(PREFIX + ref));

/** Change the stored one; nothing happens to one that is over, or dismissed meanwhile. */
function update(ref, change) {
  const intent = store(ref, { ...change, changed: Date.now() });
  if (intent) tell(intent);
}

function store(ref, change) {
  const intent = load(ref);
  if (!intent || OVER.has(intent.state)) return null;
  const next = { ...intent, ...change };
  localStorage.setItem(PREFIX + ref, JSON.stringify(next));
  return next;
}

/**
 * Call with all intents now, and with the changed one whenever one changes, here or in another tab.
 * @param {(intents: Intent[], changed: Intent|null) => void} listener
 */
export function onChange(listener) {
  listeners.add(listener);
  listener(list(), null);
}

function tell(changed) {
  const intents = list();
  for (const listener of listeners) listener(intents, changed);
}

/**
 * Forget one that is over.
 * @param {string} ref
 */
export function dismiss(ref) {
  const intent = load(ref);
  if (!intent || !OVER.has(intent.state)) return;
  localStorage.removeItem(PREFIX + ref);
  tell(intent);
}

/** Whether it is over. @param {Intent} intent */
export const isOver = (intent) => OVER.has(intent.state);

// -- the wallet --------------------------------------------------------------------------------------------------

/**
 * Have a draft signed, and follow what becomes of it. Gives the intent as it is once the wallet has answered, or
 * nobody waits for it any more.
 * @param {import("./intents.js").Draft} draft
 * @returns {Promise<Intent>}
 */
export async function submit(draft) {
  const now = Date.now();
  const control = new AbortController();
  atWallet.set(draft.ref, control);
  keep({
    ref: draft.ref, account: draft.account, action: draft.action, draft, state: "waiting", outcome: null, code: null,
    text: "", hint: "", txId: null, multisig: false, created: now, changed: now, deadline: null,
    sinceBlock: null, block: null, order: null, beat: now, tab,
  });
  // Only what the API has read before the wallet answers is surely older than the transaction.
  position().then((head) => head && atWallet.has(draft.ref) && store(draft.ref, { sinceBlock: head.block }));
  const beat = setInterval(() => store(draft.ref, { beat: Date.now() }), BEAT_MS);
  const answer = await sign(draft, { giveUp: control.signal, onPhase: (phase) => update(draft.ref, { state: phase }) });
  clearInterval(beat);
  atWallet.delete(draft.ref);
  await take(draft.ref, answer);
  if (!answer.ok && answer.late) answer.late.then((late) => take(draft.ref, late));
  return load(draft.ref);
}

function keep(intent) {
  localStorage.setItem(PREFIX + intent.ref, JSON.stringify(intent));
  tell(intent);
}

/** What the wallet's answer makes of it. */
async function take(ref, answer) {
  if (answer.ok) {
    update(ref, { state: "sent", txId: answer.txId, multisig: answer.multisig, deadline: await deadline(), text: "", hint: "" });
    follow(ref);
  } else if (answer.reason === "unclear" || answer.reason === "given_up") {
    update(ref, { state: "lost", deadline: await deadline(), text: answer.message, hint: answer.hint });
    follow(ref);
  } else {
    const outcome = answer.reason === "cancelled" ? "not_signed" : "refused";
    update(ref, { state: "failed", outcome, text: answer.message, hint: answer.hint });
  }
}

/**
 * Wait no longer for the wallet. If it is signed all the same, it counts.
 * @param {string} ref
 */
export function giveUp(ref) {
  atWallet.get(ref)?.abort();
}

async function deadline() {
  const head = await position();
  return Math.max(Date.now(), head?.time ?? 0) + LIFE_MS;
}

/** The newest block that the API has read, null where it does not answer. */
async function position() {
  try {
    const health = await read("health");
    if (health.block === null) return null;
    return { block: health.block, time: health.ts ? Date.parse(zoned(health.ts)) : 0 };
  } catch {
    return null;
  }
}

const zoned = (ts) => (/Z$|[+-]\d\d:\d\d$/.test(ts) ? ts : `${ts}Z`);

// -- following ---------------------------------------------------------------------------------------------------

function follow(ref) {
  if (followed.has(ref)) return;
  followed.set(ref, { tries: 0, timer: 0 });
  look(ref);
}

async function look(ref) {
  const place = followed.get(ref);
  if (!place) return;
  clearTimeout(place.timer);
  place.timer = 0;
  const intent = load(ref);
  if (!intent || OVER.has(intent.state)) {
    followed.delete(ref);
    return;
  }
  try {
    await step(intent, place.tries);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the API is away: look again later
  } finally {
    const pause = PAUSES[Math.min(place.tries, PAUSES.length - 1)];
    place.tries += 1;
    place.timer = setTimeout(() => look(ref), pause * 1000);
  }
}

/** One look at it: is it decided, is it in a block, is it too late? */
async function step(intent, tries) {
  // Before the outcome: what is unknown after this was in no block that the API had read then.
  const head = tries % LOOKS_A_POSITION === 0 ? await position() : null;
  const found = await outcomeOf(intent, idsOfOthers(intent));
  if (found) {
    update(intent.ref, { state: "final", ...found });
    return;
  }
  const block = intent.txId ? await inBlock(intent.txId) : null;
  if (block !== null && block !== intent.block) update(intent.ref, { state: "in_block", block });
  if (!head) return;
  const expired = intent.deadline !== null && head.time > intent.deadline + MARGIN_MS;
  // A deposit of tokens is in the block, but the sidechain would not move them.
  const refused = intent.action === "deposit" && block !== null && block <= head.block;
  if (expired || refused) update(intent.ref, { state: "failed", outcome: block === null ? "not_included" : "no_effect" });
}

/** Transactions that belong to other intents, so that two alike are not taken for the same. */
function idsOfOthers(intent) {
  return new Set(list().filter((other) => other.ref !== intent.ref && other.txId).map((other) => other.txId));
}

/** Look at once: something has changed on the exchange. Asked often, it looks once a second. */
export function nudge() {
  for (const [ref, place] of followed) {
    if (!place.timer || place.nudged > Date.now() - 1000) continue;
    place.nudged = Date.now();
    look(ref);
  }
}

/** Go on with what was left by an earlier page, or by a tab that is gone; forget what is old. */
function resume() {
  const now = Date.now();
  for (const intent of list()) {
    if (OVER.has(intent.state)) {
      if (now - intent.changed > KEEP_MS) localStorage.removeItem(PREFIX + intent.ref);
    } else if (AT_WALLET.has(intent.state)) {
      if (!atWallet.has(intent.ref) && (intent.tab === tab || now - intent.beat > DEAD_MS)) lose(intent.ref);
    } else {
      follow(intent.ref);
    }
  }
}

/** The page that asked the wallet is gone, and with it the answer. */
async function lose(ref) {
  update(ref, { state: "lost", deadline: await deadline() });
  follow(ref);
}

addEventListener("storage", (event) => {
  if (event.key !== null && !event.key.startsWith(PREFIX)) return;
  tell(parsed(event.newValue));
  resume();
});
resume();
setInterval(resume, DEAD_MS);
