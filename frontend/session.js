// Whose orders and balances this browser shows. A name, not a login: all data is public.

const KEY = "peakedex.account";
const NAME = /^(?=.{3,16}$)[a-z](?:[a-z0-9]|-(?=[a-z0-9]))+[a-z0-9](?:\.[a-z](?:[a-z0-9]|-(?=[a-z0-9]))+[a-z0-9])*$/;

/** @type {Set<(name: string|null) => void>} */
const listeners = new Set();

/**
 * Whether the text can be a Hive account's name.
 * @param {string} text
 */
export const isAccount = (text) => NAME.test(text);

/** @returns {string|null} */
export function account() {
  const name = localStorage.getItem(KEY);
  return name && isAccount(name) ? name : null;
}

/**
 * Choose the account; null forgets it. Other tabs follow.
 * @param {string|null} name
 */
export function choose(name) {
  if (name) localStorage.setItem(KEY, name);
  else localStorage.removeItem(KEY);
  tell();
}

/**
 * Call now and whenever another account is chosen, here or in another tab.
 * @param {(name: string|null) => void} listener
 */
export function onAccount(listener) {
  listeners.add(listener);
  listener(account());
}

function tell() {
  for (const listener of listeners) listener(account());
}

addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) tell();
});
