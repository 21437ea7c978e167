// A dry run of an order against the book on the screen: what it would do now. The book may be another one when
// the order arrives; the worst price holds whatever happens.

import { baseUnits, fee, mostLots, plain, total } from "./amounts.js";

/**
 * @typedef {{lots: bigint, quote: bigint, paid: bigint, gross: bigint, fee: bigint, received: bigint,
 *   average: string|null, worst: bigint|null, restLots: bigint, restBudget: bigint, crosses: boolean,
 *   complete: boolean}} Estimate
 * `lots` fill at once for `quote` units. A buy receives base units and a sell quote units: `gross` before the
 * fee, `received` after it. `average` is decimal text with two decimals more than a price, cut off; `worst` the last price that it reaches, in ticks.
 * `restLots` stay open (a limit order) or undone; `complete` tells that nothing does.
 */

/**
 * @param {import("./amounts.js").Market} pair
 * @param {{side: "buy"|"sell", ticks: bigint|null, lots?: bigint, budget?: bigint}} order `ticks` is its limit
 *   or worst price, null for none; a market buy has a `budget` in quote units in place of `lots`
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
      const most = mostLots(pair, money, price);
      if (most < take) take = most;
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
  return summed(pair, side, { filled, quote, worst, rest: rest ?? 0n, money: money ?? 0n });
}

// The pair's policy says whose price it is (docs/protocol.md, 5); an order without a price takes the book's.
function tradePrice(pair, side, ticks, level) {
  if (ticks === null || pair.pricePolicy === "maker") return level;
  if (pair.pricePolicy === "midpoint") return (ticks + level) / 2n;
  return (pair.pricePolicy === "bid") === (side === "buy") ? ticks : level;
}

function summed(pair, side, { filled, quote, worst, rest, money }) {
  const gross = side === "buy" ? baseUnits(pair, filled) : quote;
  const cut = fee(gross, pair.takerFeeBps);
  return {
    lots: filled,
    quote,
    paid: side === "buy" ? quote : baseUnits(pair, filled),
    gross,
    fee: cut,
    received: gross - cut,
    average: filled > 0n ? plain((quote * 100n) / total(pair, 1n, filled), pair.priceDecimals + 2) : null,
    worst,
    restLots: rest,
    restBudget: money,
    crosses: filled > 0n,
    complete: rest === 0n && (money === 0n || (worst !== null && mostLots(pair, money, worst) === 0n)),
  };
}
