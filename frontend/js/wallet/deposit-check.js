// Checks before signing that the wallet holds what a one-signature trade deposits. If the sidechain refused the
// deposit, the order would trade with the balance at the exchange.

import { readVenue } from "../data/api.js";
import { grouped, show, trimmed, units } from "../lib/amounts.js";
import { depositCheck as strings } from "../strings/wallet.js";
import { readWalletBalances } from "./wallet-balances.js";

/**
 * Why a draft must not be signed, else "".
 * @param {import("./intents.js").Draft} draft
 * @returns {Promise<string>}
 */
export async function depositProblem({ account, about: { deposit } }) {
  if (!deposit) return "";
  const { symbol, quantity } = deposit;
  const balance = await readBalance(account, symbol);
  if (balance === null) return strings.unknown;
  const needed = units(quantity, balance.precision);
  if (balance.amount >= needed) return "";
  const text = (amount) => `${trimmed(amount)} ${symbol}`;
  return strings.insufficient(text(show(balance.amount, balance.precision)), text(grouped(quantity)));
}

async function readBalance(account, symbol) {
  try {
    const venue = await readVenue();
    const { precision } = venue.tokens.find((token) => token.symbol === symbol);
    const amount = (await readWalletBalances(venue, account)).get(symbol) ?? null;
    return amount === null ? null : { amount, precision };
  } catch {
    return null; // the API does not answer
  }
}
