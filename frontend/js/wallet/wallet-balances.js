// Wallet balances of an account on Hive and Hive-Engine, for display.

import { callHive, callHiveEngine } from "../data/nodes.js";
import { units } from "../lib/amounts.js";

const MAX_TOKENS = 1000;

/**
 * Balances in units by symbol, of all tokens of the venue; null where no node answered.
 * @param {any} venue
 * @param {string} account
 * @returns {Promise<Map<string, bigint|null>>}
 */
export async function readWalletBalances(venue, account) {
  const [coins, tokens] = await Promise.all([readCoins(account), readTokens(account)]);
  return new Map(venue.tokens.map(({ symbol, precision, chain }) => {
    const balances = chain === "hive" ? coins : tokens;
    return [symbol, balances && parsed(balances.get(symbol) ?? "0", precision)];
  }));
}

function parsed(text, precision) {
  try {
    return units(text, precision);
  } catch {
    return null; // not a decimal number
  }
}

async function readCoins(account) {
  const found = await callHive("condenser_api.get_accounts", [[account]]);
  if (!found) return null;
  const texts = [found[0]?.balance, found[0]?.hbd_balance].filter((text) => typeof text === "string");
  return new Map(texts.map((text) => text.split(" ")).map(([amount, symbol]) => [symbol, amount]));
}

async function readTokens(account) {
  const rows = await callHiveEngine("find", { contract: "tokens", table: "balances", query: { account }, limit: MAX_TOKENS });
  return rows && new Map(rows.map((row) => [row.symbol, row.balance]));
}
