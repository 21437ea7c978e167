// The wallet that signs: Hive Keychain, or the practice wallet of a devnet.

import { account } from "../data/session.js";

const KEY = "peakedex.wallet";

/**
 * The wallet of the chosen account. Practice accounts alone use the practice wallet.
 * @returns {"keychain"|"practice"}
 */
export function provider() {
  const isPractice = localStorage.getItem(KEY) === "practice" && account()?.startsWith("practice-");
  return isPractice ? "practice" : "keychain";
}

/**
 * Choose the wallet.
 * @param {"keychain"|"practice"} name
 */
export function setProvider(name) {
  if (name === "practice") localStorage.setItem(KEY, name);
  else localStorage.removeItem(KEY);
}
