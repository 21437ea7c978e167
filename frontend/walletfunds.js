// What an account holds in its wallet, on Hive and on Hive-Engine. Only a help for the eye: no answer, no number.

import { units } from "./amounts.js";
import { contracts, hive } from "./nodes.js";

const MOST_TOKENS = 1000;

/**
 * The units by symbol of all the venue's tokens; null where nobody answered.
 * @param {any} venue
 * @param {string} account
 * @returns {Promise<Map<string, bigint|null>>}
 */
export async function walletFunds(venue, account) {
  const [coins, tokens] = await Promise.all([coinsOf(account), tokensOf(account)]);
  return new Map(venue.tokens.map(({ symbol, precision, chain }) => {
    const texts = chain === "hive" ? coins : tokens;
    return [symbol, texts && exact(texts.get(symbol) ?? "0", precision)];
  }));
}

function exact(text, precision) {
  try {
    return units(text, precision);
  } catch {
    return null;
  }
}

async function coinsOf(account) {
  const found = await hive("condenser_api.get_accounts", [[account]]);
  if (!found) return null;
  const texts = [found[0]?.balance, found[0]?.hbd_balance].filter((text) => typeof text === "string");
  return new Map(texts.map((text) => text.split(" ")).map(([amount, symbol]) => [symbol, amount]));
}

async function tokensOf(account) {
  const rows = await contracts("find", { contract: "tokens", table: "balances", query: { account }, limit: MOST_TOKENS });
  return rows && new Map(rows.map((row) => [row.symbol, row.balance]));
}
