// The account whose orders and balances this browser shows. It is a name, not a login: all data is public.

import { local } from "../lib/storage.js";

const KEY = "peakedex.account";
// hived's rule (docs/protocol.md, section 1).
const NAME = /^(?=.{3,16}$)[a-z][a-z0-9-]+[a-z0-9](?:\.[a-z][a-z0-9-]+[a-z0-9])*$/;

/** @type {Set<(name: string|null) => void>} */
const listeners = new Set();

/**
 * Whether the text is a valid Hive account name.
 * @param {string} text
 */
export const isAccount = (text) => NAME.test(text);

/**
 * An account name as a user types it, without the leading @ and in lower case.
 * @param {string} text
 */
export const accountName = (text) => text.trim().replace(/^@/, "").toLowerCase();

/** The chosen account. @returns {string|null} */
export function account() {
  const name = local.getItem(KEY);
  return name && isAccount(name) ? name : null;
}

/**
 * Choose an account, in all tabs; null removes the choice.
 * @param {string|null} name
 */
export function setAccount(name) {
  if (name) local.setItem(KEY, name);
  else local.removeItem(KEY);
  notify();
}

/**
 * Call the listener now, and whenever the account changes here or in another tab.
 * @param {(name: string|null) => void} listener
 */
export function onAccount(listener) {
  listeners.add(listener);
  listener(account());
}

function notify() {
  for (const listener of listeners) listener(account());
}

addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) notify();
});
