// The wallet that signs: Hive Keychain, or the practice wallet of a devnet.

import { account } from "../data/session.js";
import { local } from "../lib/storage.js";

const KEY = "peakedex.wallet";

/**
 * The wallet of the chosen account. Practice accounts alone use the practice wallet.
 * @returns {"keychain"|"practice"}
 */
export function provider() {
  const isPractice = local.getItem(KEY) === "practice" && account()?.startsWith("practice-");
  return isPractice ? "practice" : "keychain";
}

/**
 * Choose the wallet.
 * @param {"keychain"|"practice"} name
 */
export function setProvider(name) {
  if (name === "practice") local.setItem(KEY, name);
  else local.removeItem(KEY);
}
