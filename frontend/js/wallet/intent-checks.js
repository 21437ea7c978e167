// Checks of what a trader enters: the exchange would reject an intent that fails one.

import { isAccount } from "../lib/account-name.js";
import { lotsOf, MAX_UNITS, market, total, trimmed, units } from "../lib/amounts.js";
import { intents as strings } from "../strings/intents.js";

const MAX_MEMO = 256;
export const ORDER_ID = /^[0-9a-f]{40}(?:-\d{1,4}){0,2}$/;
// A withdrawal of what an order received or released has the order's id and the token's symbol.
export const WITHDRAWAL_ID = /^[0-9a-f]{40}(?:-\d{1,4}){0,2}(?:#[A-Z]{1,10}(?:\.[A-Z]{1,10})?)?$/;

/** Invalid input: the exchange would reject the intent. `field` names the input. */
export class IntentError extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

export function checkAccount(account) {
  if (!isAccount(account)) throw new IntentError("account", strings.account);
  return account;
}

export function activePair(venue, base, quote) {
  const pair = market(venue, base, quote);
  if (!pair) throw new IntentError("pair", strings.noPair(`${base}/${quote}`));
  if (pair.status !== "active") throw new IntentError("pair", strings.pairStatus(`${base}/${quote}`, pair.status));
  return pair;
}

export function tokenOf(venue, symbol) {
  const token = venue.tokens.find((row) => row.symbol === symbol);
  if (!token) throw new IntentError("symbol", strings.noToken(symbol));
  return token;
}

export function checkPositive(field, value) {
  if (value <= 0n) throw new IntentError(field, strings.zero);
  return value;
}

export function checkRange(field, value) {
  if (value > MAX_UNITS) throw new IntentError(field, strings.range);
  return value;
}

/** Of decimal texts. */
export function checkTotal(pair, price, quantity) {
  checkRange("total", total(pair, units(price, pair.priceDecimals), lotsOf(pair, units(quantity, pair.basePrecision))));
}

export function checkMinimum(token, value) {
  const { symbol, precision, min_withdrawal: minimum } = token;
  if (value < units(minimum, precision)) throw new IntentError("quantity", strings.minimum(`${trimmed(minimum)} ${symbol}`));
  return value;
}

export function checkLifetime(venue, seconds) {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > venue.order_lifetime) {
    throw new IntentError("expiration", strings.lifetime(venue.order_lifetime));
  }
  return seconds;
}

export function checkRecipient(venue, name) {
  if (!isAccount(name)) throw new IntentError("to", strings.account);
  if (venue.escrows.includes(name)) throw new IntentError("to", strings.escrow(name));
  return name;
}

export function checkMemo(memo, chain) {
  if (chain === "hive" && /^ *[{[]/.test(memo)) throw new IntentError("memo", strings.memoExecutable);
  if (/^(?:#|peakedex:)/.test(memo)) throw new IntentError("memo", strings.memoReserved);
  const letters = [...memo];
  const control = letters.some((letter) => letter < " " || letter === "\u007f" || /^[\ud800-\udfff]$/.test(letter));
  if (letters.length > MAX_MEMO || control) throw new IntentError("memo", strings.memo(MAX_MEMO));
  return memo;
}

export function checkId(pattern, id) {
  if (!pattern.test(id)) throw new IntentError("order", strings.id);
  return id;
}
