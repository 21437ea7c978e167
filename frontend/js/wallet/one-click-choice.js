// What the trader chose in this browser about one-click trading, by account.

import { local, localJson, localKeys } from "../lib/storage.js";

const PREFIX = "peakedex.oneclick.";

/**
 * `isOn`: sign with the posting key what the grant covers. `skipsReview`: without the review. `cancelsOffline`: keep
 * the cancel-all timer armed. `ref`: the intent that enables it, `asked` when, in
 * milliseconds since 1970. `until`: end of the grant as last seen, so that its
 * absence is an end; "" before it was seen, `seen` in the answer of which block. `ended`: why it is off. `problem`: why the timer was not renewed; with
 * `isPaused` it is not tried again until the trader says so.
 * @typedef {{isOn: boolean, skipsReview: boolean, cancelsOffline: boolean, ref: string, asked: number,
 *   until: string, seen: number, ended: ""|"expired"|"revoked", problem: string, isPaused: boolean}} Choice
 */

/** @type {Choice} */
const NOTHING = {
  isOn: false, skipsReview: false, cancelsOffline: false, ref: "", asked: 0, until: "", seen: 0, ended: "",
  problem: "", isPaused: false,
};

/** @type {Set<() => void>} */
const listeners = new Set();

/** The choice for an account. @param {string} account @returns {Choice} */
export function choiceOf(account) {
  const stored = localJson(PREFIX + account);
  const isWhole = stored !== null && typeof stored === "object"
    && Object.entries(NOTHING).every(([key, value]) => typeof stored[key] === typeof value);
  return isWhole ? stored : NOTHING;
}

/**
 * Change the choice, in all tabs.
 * @param {string} account
 * @param {Partial<Choice>} change
 */
export function choose(account, change) {
  const before = choiceOf(account);
  const isSame = Object.entries(change).every(([key, value]) => before[key] === value);
  if (isSame) return;
  local.setItem(PREFIX + account, JSON.stringify({ ...before, ...change }));
  for (const listener of listeners) listener();
}

/** Whether the cancel-all timer of an account is to be kept armed. */
export const anyOfflineTimer = () =>
  localKeys().some((key) => key.startsWith(PREFIX) && choiceOf(key.slice(PREFIX.length)).cancelsOffline);

/**
 * Call whenever a choice changed, here or in another tab.
 * @param {() => void} listener
 * @returns {() => void} stops it
 */
export function onChoice(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

addEventListener("storage", (event) => {
  if (event.key === null || event.key.startsWith(PREFIX)) for (const listener of listeners) listener();
});
