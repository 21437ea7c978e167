// Marks of the pairs, at which stops fire: the average price of a pair's last ten blocks with trades.

import { grouped, lotsOf, market, total, trimmed, units } from "../lib/amounts.js";
import { read } from "./api.js";

const MAX_AGE_MS = 2000;

/**
 * `text` is rounded, for display; the mark is exactly `quote / base`, in units.
 * @typedef {{text: string, base: bigint, quote: bigint}} Mark
 */

/** @type {{at: number, marks: Promise<Map<string, Mark>>|null}} */
let latest = { at: 0, marks: null };

/**
 * The marks by pair, like "PEK/SWAP.HIVE", at most two seconds old. A pair without trades has none.
 * @param {any} venue the body of /api/venue
 * @returns {Promise<Map<string, Mark>>}
 * @throws {import("./api.js").ApiError}
 */
export function readMarks(venue) {
  const now = Date.now();
  if (!latest.marks || now - latest.at > MAX_AGE_MS) {
    const marks = read("marks").then((body) => parsed(venue, body));
    latest = { at: now, marks };
    marks.catch(() => {
      if (latest.marks === marks) latest = { at: 0, marks: null }; // the next call asks again
    });
  }
  return latest.marks;
}

function parsed(venue, body) {
  const known = body.marks.filter((row) => row.mark !== null && market(venue, row.base, row.quote));
  return new Map(known.map((row) => {
    const { basePrecision, quotePrecision } = market(venue, row.base, row.quote);
    const mark = { text: row.mark, base: units(row.amount, basePrecision), quote: units(row.quote_amount, quotePrecision) };
    return [`${row.base}/${row.quote}`, mark];
  }));
}

/**
 * Whether a mark is at a price or beyond it (docs/protocol.md, section 7).
 * @param {import("../lib/amounts.js").Market} pair
 * @param {Mark} mark
 * @param {bigint} ticks
 * @param {"above"|"below"} when
 */
export function isReached(pair, mark, ticks, when) {
  const value = total(pair, ticks, lotsOf(pair, mark.base));
  return when === "above" ? mark.quote >= value : mark.quote <= value;
}

/** The side from which the mark reaches the protective stop of a resting order. @param {"buy"|"sell"} side */
export const protectSide = (side) => (side === "buy" ? "above" : "below");

/**
 * The mark with two decimals more than a price.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {Mark} mark
 */
export function markText(pair, { text }) {
  const [whole, fraction = ""] = text.split(".");
  return trimmed(grouped(`${whole}.${fraction.slice(0, pair.priceDecimals + 2)}`));
}
