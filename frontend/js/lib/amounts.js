// Exact decimal amounts: text in, BigInt in the smallest unit inside, text out, no floats. Prices are in ticks,
// quantities in lots, balances in the token's units (docs/protocol.md, section 1).

/** The largest amount: 63 bits. */
export const MAX_UNITS = 2n ** 63n - 1n;

const BPS = 10_000n;

/** @param {number} decimals */
export const power = (decimals) => 10n ** BigInt(decimals);

/**
 * Decimal text of an amount as it is signed: all decimals, no separators.
 * @param {bigint} units
 * @param {number} decimals
 */
export function plain(units, decimals) {
  if (decimals <= 0) return (units * power(-decimals)).toString();
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/**
 * Add thousands separators to decimal text; a negative number gets a typographic minus.
 * @param {string} text
 */
export function grouped(text) {
  const [whole, fraction] = text.replace("-", "").split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (text.startsWith("-") ? "−" : "") + (fraction === undefined ? digits : `${digits}.${fraction}`);
}

/**
 * Decimal text of an amount with thousands separators.
 * @param {bigint} value
 * @param {number} decimals
 */
export const show = (value, decimals) => grouped(plain(value, decimals));

/**
 * Parse decimal text from the API.
 * @param {string} text
 * @param {number} decimals
 * @throws {RangeError} if it is not a decimal number, or has more decimals
 */
export function units(text, decimals) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = (match?.[3] ?? "").replace(/0+$/, "");
  if (!match || fraction.length > Math.max(0, decimals)) throw new RangeError(`${text} in ${decimals} decimals`);
  const value = decimals >= 0 ? BigInt(match[2] + fraction.padEnd(decimals, "0")) : BigInt(match[2]) / power(-decimals);
  return match[1] ? -value : value;
}

/**
 * @typedef {{base: string, quote: string, priceDecimals: number, quantityDecimals: number, basePrecision: number,
 *   quotePrecision: number, makerFeeBps: number, takerFeeBps: number, status: string, pricePolicy: string,
 *   selfTrade: string}} Market
 */

/**
 * A pair of the venue with the precisions of its tokens; null if it is not listed.
 * @param {any} venue the body of /api/venue
 * @param {string} base
 * @param {string} quote
 * @returns {Market|null}
 */
export function market(venue, base, quote) {
  const pair = venue.pairs.find((row) => row.base === base && row.quote === quote);
  const precision = (symbol) => venue.tokens.find((token) => token.symbol === symbol)?.precision;
  if (!pair || precision(base) === undefined || precision(quote) === undefined) return null;
  return {
    base,
    quote,
    priceDecimals: pair.price_decimals,
    quantityDecimals: pair.quantity_decimals,
    basePrecision: precision(base),
    quotePrecision: precision(quote),
    makerFeeBps: pair.maker_fee_bps,
    takerFeeBps: pair.taker_fee_bps,
    status: pair.status,
    pricePolicy: pair.price_policy,
    selfTrade: pair.self_trade,
  };
}

/**
 * Take over what the operator has changed of a pair: status and fees.
 * @param {any} venue
 * @param {Market} pair
 * @param {any} row of /api/pairs
 * @returns {boolean} whether something changed
 */
export function followRules(venue, pair, row) {
  const { status, maker_fee_bps: makerFeeBps, taker_fee_bps: takerFeeBps } = row;
  if (pair.status === status && pair.makerFeeBps === makerFeeBps && pair.takerFeeBps === takerFeeBps) return false;
  Object.assign(pair, { status, makerFeeBps, takerFeeBps });
  const rules = venue.pairs.find(({ base, quote }) => base === pair.base && quote === pair.quote);
  Object.assign(rules, { status, maker_fee_bps: makerFeeBps, taker_fee_bps: takerFeeBps });
  return true;
}

// Quote units of one tick times one lot: always whole in a valid venue.
const tickLot = (pair) => power(pair.quotePrecision - pair.priceDecimals - pair.quantityDecimals);

/**
 * Price times quantity in quote units, exact.
 * @param {Market} pair
 * @param {bigint} ticks
 * @param {bigint} lots
 */
export const total = (pair, ticks, lots) => ticks * lots * tickLot(pair);

/**
 * A quantity in base units.
 * @param {Market} pair
 * @param {bigint} lots
 */
export const baseUnits = (pair, lots) => lots * power(pair.basePrecision - pair.quantityDecimals);

/**
 * Base units as whole lots, rounded down.
 * @param {Market} pair
 * @param {bigint} amount
 */
export const lotsOf = (pair, amount) => amount / power(pair.basePrecision - pair.quantityDecimals);

/**
 * The largest number of lots that an amount of quote units buys at a price.
 * @param {Market} pair
 * @param {bigint} amount
 * @param {bigint} ticks
 */
export const mostLots = (pair, amount, ticks) => (ticks > 0n ? amount / (ticks * tickLot(pair)) : 0n);

/**
 * A fee, rounded down.
 * @param {bigint} amount received
 * @param {number} bps
 */
export const fee = (amount, bps) => (amount * BigInt(bps)) / BPS;

/**
 * A percentage of an amount, rounded down.
 * @param {bigint} amount
 * @param {number} percent a whole number
 */
export const share = (amount, percent) => (amount * BigInt(percent)) / 100n;

/**
 * The worst price of a market order: the best price plus or minus its maximum slippage, at least one tick.
 * @param {"buy"|"sell"} side of the order
 * @param {bigint} best in ticks
 * @param {number} bps slippage in basis points
 */
export function worstPrice(side, best, bps) {
  // Rounded away from the best price, so that it always includes the best price itself.
  if (side === "buy") return (best * (BPS + BigInt(bps)) + BPS - 1n) / BPS;
  const worst = (best * (BPS - BigInt(bps))) / BPS;
  return worst > 0n ? worst : 1n;
}

export const plainPrice = (pair, ticks) => plain(ticks, pair.priceDecimals);
export const plainLots = (pair, lots) => plain(lots, pair.quantityDecimals);
export const plainQuote = (pair, amount) => plain(amount, pair.quotePrecision);
export const showPrice = (pair, ticks) => grouped(plainPrice(pair, ticks));
export const showLots = (pair, lots) => grouped(plainLots(pair, lots));
export const showQuote = (pair, amount) => grouped(plainQuote(pair, amount));
export const showBase = (pair, amount) => show(amount, pair.basePrecision);

/**
 * Decimal text without trailing zeros.
 * @param {string} text
 */
export const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** The condition of a stop, like "≥ 0.0125". @param {any} order a row of /api/orders with a trigger */
export const triggerText = (order) => `${order.trigger_when === "above" ? "≥" : "≤"} ${grouped(order.trigger_price)}`;
