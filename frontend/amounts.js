// Amounts: text in, whole numbers of the smallest unit inside (BigInt), text out. Nothing rounds, and nothing
// goes through a float. Prices are in ticks, quantities in lots, money in the token's units (docs/protocol.md, 1).

import { amounts as words } from "./strings.js";

/** The largest single amount: 63 bits. */
export const MAX_UNITS = 2n ** 63n - 1n;

const BPS = 10_000n;
// All that people and programs put between groups of three: spaces of every width, apostrophes, underscores.
const SEPARATOR = "[\\s\\u00a0\\u2000-\\u200b\\u202f\\u205f\\u3000\\ufeff'’_]";
const SEPARATORS = new RegExp(SEPARATOR, "g");
const GROUPED = new RegExp(`^\\d{1,3}(?:${SEPARATOR}\\d{3})+(?:\\.\\d*)?$`);
const SPACED = new RegExp(`^\\d.*${SEPARATOR}`);
const COMMAS = /^\d{1,3}(?:,\d{3})+(?:\.\d*)?$/;
const PLAIN = /^(?:\d+\.?\d*|\.\d+)$/;

/** @param {number} decimals */
const power = (decimals) => 10n ** BigInt(decimals);

/**
 * Read what somebody typed or pasted. Separators of thousands are taken out; what could mean two numbers is
 * refused with a reason.
 * @param {string} text
 * @param {number} decimals of the unit; negative for lots of ten, a thousand and so on
 * @returns {{units: bigint, problem?: undefined, empty?: undefined}
 *   | {units?: undefined, problem: string, empty?: boolean}}
 */
export function parse(text, decimals) {
  const trimmed = text.replace(/^[\s\u00a0\ufeff]+|[\s\u00a0\ufeff]+$/g, "");
  if (trimmed === "") return { problem: "", empty: true };
  const { plain: number, problem } = withoutSeparators(trimmed);
  if (problem) return { problem };
  const [whole, fraction = ""] = number.split(".");
  return toUnits(whole.replace(/^0+(?=\d)/, "") || "0", fraction.replace(/0+$/, ""), decimals);
}

function withoutSeparators(text) {
  if (text.length > 80) return { problem: words.notNumber };
  if (/^[-−–+]/.test(text)) return { problem: words.sign };
  if (/^[\d.]+e[-+]?\d+$/i.test(text)) return { problem: words.exponent };
  if (PLAIN.test(text)) return { plain: text };
  if (GROUPED.test(text)) return { plain: text.replace(SEPARATORS, "") };
  const commas = text.split(",").length - 1;
  const points = text.split(".").length - 1;
  if (COMMAS.test(text) && (commas > 1 || points === 1)) return { plain: text.replaceAll(",", "") };
  if (/^[1-9]\d{0,2},\d{3}$/.test(text)) return { problem: words.twoMeanings(text, text.replace(",", ""), text.replace(",", ".")) };
  if (/^\d+,\d+$/.test(text)) return { problem: words.comma(text.replace(",", ".")) };
  if (/^[\d.]+,\d+$/.test(text)) return { problem: words.comma(text.replaceAll(".", "").replace(",", ".")) };
  if (points > 1 && /^[\d.]+$/.test(text)) return { problem: words.points };
  if (SPACED.test(text)) return { problem: words.groups };
  return { problem: words.notNumber };
}

function toUnits(whole, fraction, decimals) {
  if (fraction.length > Math.max(0, decimals)) {
    return { problem: decimals > 0 ? words.decimals(decimals) : words.whole };
  }
  let units;
  if (decimals >= 0) {
    units = BigInt(whole + fraction.padEnd(decimals, "0"));
  } else {
    const lot = power(-decimals);
    const value = BigInt(whole);
    if (value % lot !== 0n) return { problem: words.lots(grouped(lot.toString())) };
    units = value / lot;
  }
  return units > MAX_UNITS ? { problem: words.range } : { units };
}

/**
 * The decimal text of an amount, as it is signed: all its decimals, no separators.
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
 * Decimal text of the API for the eye: thousands separated, a true minus.
 * @param {string} text
 */
export function grouped(text) {
  const [whole, fraction] = text.replace("-", "").split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (text.startsWith("-") ? "−" : "") + (fraction === undefined ? digits : `${digits}.${fraction}`);
}

/**
 * An amount for the eye.
 * @param {bigint} value
 * @param {number} decimals
 */
export const show = (value, decimals) => grouped(plain(value, decimals));

/**
 * Decimal text of the API in units.
 * @param {string} text
 * @param {number} decimals
 * @throws {RangeError} where it is not a decimal, or has more decimals
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
 * A pair of the venue with the precisions of its tokens; null where it has no such pair.
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

// Quote units of one tick times one lot: a whole number in every valid venue.
const tickLot = (pair) => power(pair.quotePrecision - pair.priceDecimals - pair.quantityDecimals);

/**
 * Price times quantity in quote units: always whole.
 * @param {Market} pair
 * @param {bigint} ticks
 * @param {bigint} lots
 */
export const total = (pair, ticks, lots) => ticks * lots * tickLot(pair);

/**
 * A quantity in units of the base.
 * @param {Market} pair
 * @param {bigint} lots
 */
export const baseUnits = (pair, lots) => lots * power(pair.basePrecision - pair.quantityDecimals);

/**
 * Whole lots in an amount of base units; the rest is cut off.
 * @param {Market} pair
 * @param {bigint} amount
 */
export const lotsOf = (pair, amount) => amount / power(pair.basePrecision - pair.quantityDecimals);

/**
 * The most lots that so many quote units buy at a price.
 * @param {Market} pair
 * @param {bigint} amount
 * @param {bigint} ticks
 */
export const mostLots = (pair, amount, ticks) => (ticks > 0n ? amount / (ticks * tickLot(pair)) : 0n);

/**
 * A fee, rounded down.
 * @param {bigint} amount that is received
 * @param {number} bps
 */
export const fee = (amount, bps) => (amount * BigInt(bps)) / BPS;

/**
 * A part of an amount, cut off.
 * @param {bigint} amount
 * @param {number} percent a whole number
 */
export const share = (amount, percent) => (amount * BigInt(percent)) / 100n;

/**
 * The worst price that a market order accepts: so many basis points from the best, at least one tick.
 * @param {"buy"|"sell"} side of the order
 * @param {bigint} best in ticks
 * @param {number} bps
 */
export function worstPrice(side, best, bps) {
  // Rounded away from the best price, so that the best itself is always inside.
  if (side === "buy") return (best * (BPS + BigInt(bps)) + BPS - 1n) / BPS;
  const worst = (best * (BPS - BigInt(bps))) / BPS;
  return worst > 0n ? worst : 1n;
}

/**
 * `numerator / denominator` as decimal text, cut off after `decimals`.
 * @param {bigint} numerator
 * @param {bigint} denominator
 * @param {number} decimals
 */
export const quotient = (numerator, denominator, decimals) => plain((numerator * power(decimals)) / denominator, decimals);

export const plainPrice = (pair, ticks) => plain(ticks, pair.priceDecimals);
export const plainLots = (pair, lots) => plain(lots, pair.quantityDecimals);
export const plainQuote = (pair, amount) => plain(amount, pair.quotePrecision);
export const showPrice = (pair, ticks) => grouped(plainPrice(pair, ticks));
export const showLots = (pair, lots) => grouped(plainLots(pair, lots));
export const showQuote = (pair, amount) => grouped(plainQuote(pair, amount));
export const showBase = (pair, amount) => show(amount, pair.basePrecision);

/**
 * The text without the zeros at the end of its fraction: for sentences, where a column does not line up.
 * @param {string} text
 */
export const brief = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
