// The intents of this browser, stored until they are final, so that a reload or another tab continues them. They are a
// record of what was asked for: nothing is signed from here. What does not have their form is discarded.

import { isAccount } from "../lib/account-name.js";
import { local, localKeys } from "../lib/storage.js";
import { pending as strings } from "../strings/wallet.js";

const PREFIX = "peakedex.intent.";
const OVER = new Set(["final", "failed"]);
const AT_WALLET = new Set(["queued", "signing", "waiting", "slow", "stuck"]);
const STATES = new Set([...AT_WALLET, ...OVER, "sent", "in_block", "lost"]);

/**
 * @typedef {{ref: string, account: string, action: string, draft: import("./intents.js").Draft,
 *   state: import("./wallet.js").Phase|"sent"|"in_block"|"lost"|"final"|"failed", outcome: string|null,
 *   code: string|null, text: string, hint: string, reason: string, txId: string|null, multisig: boolean,
 *   created: number, changed: number, asked: number|null, deadline: number|null, sinceBlock: number|null,
 *   block: number|null, fill: import("./outcome.js").Fill|null, deposit: string|null, beat: number, stop: boolean}} Intent
 * `lost`: it is unknown whether it was sent, `reason` tells why. `asked`: when it went to the wallet; before that
 * nothing was sent. `sinceBlock`: the newest block before that. `stop`: the user has stopped waiting, in another tab.
 * Times are in milliseconds since 1970; `beat` is the last heartbeat of the page that signs.
 */

const isText = (value) => typeof value === "string";
const isNumber = (value) => Number.isSafeInteger(value) && value >= 0;
const isFlag = (value) => typeof value === "boolean";
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const orNull = (check) => (value) => value === null || check(value);
const all = (value, checks) => isObject(value) && Object.entries(checks).every(([key, check]) => check(value[key]));

const TRANSFER = { to: isAccount, amount: isText, symbol: isText, memo: isText };
const CUSTOM_JSON = { id: isText, json: isText, elements: (value) => Array.isArray(value) && value.length > 0 && value.every(isElement) };
const isElement = (value) => all(value, { contractName: isText, contractAction: isText, contractPayload: isObject });
const DRAFT = { ref: isText, account: isAccount, action: isText, title: isText, message: isText, about: isObject };
const isDraft = (value) => all(value, DRAFT) && all(value, value.kind === "transfer" ? TRANSFER : CUSTOM_JSON);
const FILL = { filled: isText, quantity: isText, average: isText, received: isText, fee: isText };

const INTENT = {
  ref: (value) => isText(value) && /^[A-Za-z0-9_.-]{1,32}$/.test(value),
  account: isAccount,
  action: isText,
  draft: isDraft,
  state: (value) => STATES.has(value),
  outcome: orNull((value) => Object.hasOwn(strings.outcomes, value)),
  code: orNull(isText),
  text: isText,
  hint: isText,
  reason: isText,
  txId: orNull((value) => isText(value) && /^[0-9a-f]{40}$/.test(value)),
  multisig: isFlag,
  created: isNumber,
  changed: isNumber,
  asked: orNull(isNumber),
  deadline: orNull(isNumber),
  sinceBlock: orNull(isNumber),
  block: orNull(isNumber),
  fill: orNull((value) => all(value, FILL)),
  deposit: orNull((value) => Object.hasOwn(strings.deposits, value)),
  beat: isNumber,
  stop: isFlag,
};

/** @returns {Intent|null} */
function parse(text) {
  try {
    const intent = JSON.parse(text ?? "");
    const isWhole = all(intent, INTENT) && intent.draft.ref === intent.ref && intent.draft.account === intent.account;
    return isWhole && OVER.has(intent.state) === (intent.outcome !== null) ? intent : null;
  } catch {
    return null; // not JSON: written by another program
  }
}

/**
 * A new intent, before it goes to the wallet.
 * @param {import("./intents.js").Draft} draft
 * @returns {Intent}
 */
export function newIntent(draft) {
  const now = Date.now();
  return {
    ref: draft.ref, account: draft.account, action: draft.action, draft, state: "signing", outcome: null, code: null,
    text: "", hint: "", reason: "", txId: null, multisig: false, created: now, changed: now, asked: null, deadline: null,
    sinceBlock: null, block: null, fill: null, deposit: null, beat: now, stop: false,
  };
}

/** All intents of this browser, newest first. @returns {Intent[]} */
export function list() {
  const found = [];
  for (const key of localKeys().filter((one) => one.startsWith(PREFIX))) {
    const intent = parse(local.getItem(key));
    if (intent && key === PREFIX + intent.ref) found.push(intent);
    else local.removeItem(key);
  }
  return found.sort((a, b) => b.created - a.created);
}

/** @param {string} ref @returns {Intent|null} */
export const load = (ref) => parse(local.getItem(PREFIX + ref));

/** Whether its state is final or failed. @param {Intent} intent */
export const isOver = (intent) => OVER.has(intent.state);

/** Whether the wallet has it, or it waits for its turn. @param {Intent} intent */
export const isAtWallet = (intent) => AT_WALLET.has(intent.state);

/** Whether it may still be found in a block. @param {Intent} intent */
export const isUndecided = (intent) => !OVER.has(intent.state) && !AT_WALLET.has(intent.state);

/** Reasons to reject what the posting key has signed, but not what the active key has. */
const GRANT_CODES = new Set(["E_AUTH", "E_GRANT"]);

/** Whether the exchange refused it because of the posting key. @param {Intent} intent */
export const needsActiveKey = ({ draft, code }) => draft.authority === "posting" && GRANT_CODES.has(code ?? "");

/** @param {Intent} intent */
export function add(intent) {
  local.setItem(PREFIX + intent.ref, JSON.stringify(intent));
  notify(intent);
}

/**
 * Change an intent, and notify. An intent that is over, or was dismissed, does not change.
 * @param {string} ref
 * @param {Partial<Intent>} change
 */
export function update(ref, change) {
  const intent = note(ref, { ...change, changed: Date.now() });
  if (intent) notify(intent);
}

/** As `update`, for what nobody sees. */
export function note(ref, change) {
  const intent = load(ref);
  if (!intent || OVER.has(intent.state)) return null;
  const next = { ...intent, ...change };
  local.setItem(PREFIX + ref, JSON.stringify(next));
  return next;
}

/** Remove an intent that is over. @param {string} ref */
export function dismiss(ref) {
  const intent = load(ref);
  if (!intent || !OVER.has(intent.state)) return;
  local.removeItem(PREFIX + ref);
  notify(intent);
}

// -- changes ----------------------------------------------------------------------------------------------------------

/** @type {Set<(intents: Intent[], changed: Intent|null) => void>} */
const listeners = new Set();

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

addEventListener("storage", (event) => {
  if (event.key === null || event.key.startsWith(PREFIX)) notify(parse(event.newValue));
});
