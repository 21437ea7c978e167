// The account whose orders and balances this browser shows. It is a name, not a login: all data is public.

import { isAccount } from "../lib/account-name.js";
import { local } from "../lib/storage.js";

const KEY = "peakedex.account";

/** @type {Set<(name: string|null) => void>} */
const listeners = new Set();

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
