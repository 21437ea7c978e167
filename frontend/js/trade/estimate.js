// Estimate of an order's immediate execution against the displayed book. The book may differ when the order arrives;
// its limit or worst price holds regardless.

import { baseUnits, fee, mostLots, plain, total } from "../lib/amounts.js";

/**
 * @typedef {{lots: bigint, quote: bigint, paid: bigint, gross: bigint, fee: bigint, received: bigint,
 *   average: string|null, worst: bigint|null, restLots: bigint, restBudget: bigint, crosses: boolean,
 *   complete: boolean}} Estimate
 * `lots` fill immediately for `quote` units. A buy receives base units and a sell quote units: `gross` before the fee,
 * `received` after it. `average`: decimal text with two decimals more than a price, truncated. `worst`: the last price
 * reached, in ticks. `restLots`, `restBudget`: what does not fill. `complete`: nothing remains unfilled.
 */

/**
 * @param {import("../lib/amounts.js").Market} pair
 * @param {{side: "buy"|"sell", ticks: bigint|null, lots?: bigint, budget?: bigint}} order `ticks`: its limit or worst
 *   price, null for none; a market buy has a `budget` in quote units in place of `lots`
 * @param {Iterable<{ticks: bigint, lots: bigint}>} levels of the other side, best first
 * @returns {Estimate}
 */
export function estimate(pair, { side, ticks, lots, budget }, levels) {
  let rest = lots ?? null;
  let money = budget ?? null;
  let filled = 0n;
  let quote = 0n;
  let worst = null;
  for (const level of levels) {
    if (ticks !== null && (side === "buy" ? level.ticks > ticks : level.ticks < ticks)) break;
    const price = tradePrice(pair, side, ticks, level.ticks);
    let take = level.lots;
    if (rest !== null && rest < take) take = rest;
    if (money !== null) {
      const affordable = mostLots(pair, money, price);
      if (affordable < take) take = affordable;
    }
    if (take === 0n) break;
    const cost = total(pair, price, take);
    filled += take;
    quote += cost;
    worst = price;
    if (rest !== null) rest -= take;
    if (money !== null) money -= cost;
    if (rest === 0n || money === 0n || take < level.lots) break;
  }
  return summary(pair, side, { filled, quote, worst, rest: rest ?? 0n, money: money ?? 0n });
}

// The pair's price policy (docs/protocol.md, section 7); an order without a price trades at the book's.
function tradePrice(pair, side, ticks, level) {
  if (ticks === null || pair.pricePolicy === "maker") return level;
  if (pair.pricePolicy === "midpoint") return (ticks + level) / 2n;
  return (pair.pricePolicy === "bid") === (side === "buy") ? ticks : level;
}

function summary(pair, side, { filled, quote, worst, rest, money }) {
  const gross = side === "buy" ? baseUnits(pair, filled) : quote;
  const takerFee = fee(gross, pair.takerFeeBps);
  return {
    lots: filled,
    quote,
    paid: side === "buy" ? quote : baseUnits(pair, filled),
    gross,
    fee: takerFee,
    received: gross - takerFee,
    average: filled > 0n ? plain((quote * 100n) / total(pair, 1n, filled), pair.priceDecimals + 2) : null,
    worst,
    restLots: rest,
    restBudget: money,
    crosses: filled > 0n,
    complete: rest === 0n && (money === 0n || (worst !== null && mostLots(pair, money, worst) === 0n)),
  };
}

/**
 * The least that an order yields at its limit or worst price once it is filled completely, after fees.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {{side: "buy"|"sell", type: "limit"|"market", ticks: bigint|null, lots?: bigint|null, budget?: bigint|null}} order
 * @param {Estimate} estimated
 * @returns {bigint}
 */
export function minimumReceived(pair, { side, type, ticks, lots, budget }, estimated) {
  if (type === "market" && ticks === null) return estimated.received;
  let quantity = lots;
  if (type === "market") {
    const affordable = side === "buy" ? mostLots(pair, budget, ticks) : estimated.lots;
    quantity = affordable < estimated.lots ? affordable : estimated.lots;
  }
  const gross = side === "buy" ? baseUnits(pair, quantity) : total(pair, ticks, quantity);
  return gross - fee(gross, type === "market" ? pair.takerFeeBps : Math.max(pair.takerFeeBps, pair.makerFeeBps));
}
