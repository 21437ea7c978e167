// Estimate of what the rules do with an order against the displayed book (docs/protocol.md, section 7). The book may
// differ when the order arrives; its limit or worst price holds regardless.

import { baseUnits, fee, mostLots, plain, total } from "./amounts.js";

// How many resting orders a fill-or-kill order may count.
const FOK_ORDERS = 1000;

/**
 * @typedef {{side: "buy"|"sell", ticks: bigint|null, lots?: bigint, budget?: bigint, timeInForce?: "GTC"|"IOC"|"FOK",
 *   postOnly?: boolean, isMarket?: boolean}} Request
 * `ticks`: its limit or worst price, null for none; a market buy has a `budget` in quote units in place of `lots`.
 * @typedef {{lots: bigint, quote: bigint, paid: bigint, gross: bigint, fee: bigint, received: bigint,
 *   average: string|null, restLots: bigint, restBudget: bigint, rests: bigint, makerFee: bigint, crosses: boolean,
 *   code: string|null, meetsOwn: boolean, mayStop: boolean}} Estimate
 * `lots` fill immediately for `quote` units. A buy receives base units and a sell quote units: `gross` before the fee,
 * `received` after it. Fees are rounded down trade by trade: they may be some units lower. `average`: decimal text with
 * two decimals more than a price, truncated. `restLots`, `restBudget`: what does not fill; `rests` lots of it go on the
 * book, and pay `makerFee` once they fill. `code`: with which the book rejects it, else null. `meetsOwn`: own orders are
 * in its way: by the pair's self-trade policy they are cancelled, or it ends there. `mayStop`: it ends at a price at which
 * others have orders, too; those that stand before the own one fill as well, and are not in the estimate.
 */

/**
 * @param {import("./amounts.js").Market} pair
 * @param {Request} order
 * @param {Iterable<{ticks: bigint, lots: bigint, orders?: number}>} levels of the other side, best first
 * @param {{ticks: bigint, lots: bigint}[]} [own] the trader's own orders among them
 * @returns {Estimate}
 */
export function estimate(pair, order, levels, own = []) {
  const match = matched(pair, order, levels, own);
  const { side, ticks, timeInForce = "GTC", isMarket = false } = order;
  const { filled, quote, rest, money, stops } = match;
  const gross = side === "buy" ? baseUnits(pair, filled) : quote;
  const takerFee = fee(gross, pair.takerFeeBps);
  const rests = isMarket || timeInForce !== "GTC" || stops ? 0n : rest;
  return {
    lots: filled,
    quote,
    paid: side === "buy" ? quote : baseUnits(pair, filled),
    gross,
    fee: takerFee,
    received: gross - takerFee,
    average: filled > 0n ? plain((quote * 100n) / total(pair, 1n, filled), pair.priceDecimals + 2) : null,
    restLots: rest,
    restBudget: money,
    rests,
    makerFee: rests > 0n ? fee(side === "buy" ? baseUnits(pair, rests) : total(pair, ticks, rests), pair.makerFeeBps) : 0n,
    crosses: filled > 0n,
    code: rejection(order, match),
    meetsOwn: match.meetsOwn,
    mayStop: match.mayStop,
  };
}

// `filled` lots surely, `most` if every own order stands behind the others at its price. `stops`: an own order ends it.
function matched(pair, { side, ticks, lots, budget }, levels, own) {
  const allows = pair.selfTrade === "allow";
  const found = {
    filled: 0n, quote: 0n, most: 0n, rest: lots ?? 0n, money: budget ?? 0n, counted: 0n, orders: 0, meetsOwn: false,
    stops: false, mayStop: false,
  };
  for (const level of levels) {
    if (ticks !== null && (side === "buy" ? level.ticks > ticks : level.ticks < ticks)) break;
    const price = tradePrice(pair, side, ticks, level.ticks);
    const open = budget === undefined ? found.rest : mostLots(pair, found.money, price);
    if (open === 0n) break;
    const ownLots = allows ? 0n : own.reduce((sum, order) => (order.ticks === level.ticks ? sum + order.lots : sum), 0n);
    const others = level.lots > ownLots ? level.lots - ownLots : 0n;
    const take = others < open ? others : open;
    found.most = found.filled + take;
    found.orders += level.orders ?? 1;
    if (found.orders <= FOK_ORDERS) found.counted += take;
    found.meetsOwn ||= ownLots > 0n;
    if (ownLots > 0n && pair.selfTrade === "cancel_incoming") {
      found.stops = true;
      found.mayStop = take > 0n;
      break;
    }
    const cost = total(pair, price, take);
    found.filled += take;
    found.quote += cost;
    if (budget === undefined) found.rest -= take;
    else found.money -= cost;
    if (take === open) break;
  }
  return found;
}

// The pair's price policy; an order without a price trades at the book's.
function tradePrice(pair, side, ticks, level) {
  if (ticks === null || pair.pricePolicy === "maker") return level;
  if (pair.pricePolicy === "midpoint") return (ticks + level) / 2n;
  return (pair.pricePolicy === "bid") === (side === "buy") ? ticks : level;
}

// The checks that depend on the book, in their order (section 5, 11); null also where it is uncertain.
function rejection({ lots, timeInForce, postOnly, isMarket }, { filled, counted, stops, mayStop }) {
  if (postOnly) return filled > 0n || stops ? "E_POST_ONLY" : null;
  if (timeInForce === "FOK" && counted < lots) return "E_FOK";
  if (filled > 0n || mayStop) return null;
  if (stops) return "E_SELF_TRADE";
  return isMarket || timeInForce === "IOC" ? "E_NO_LIQUIDITY" : null;
}

/**
 * The least that an order yields at its limit or worst price, after fees: a fill-or-kill order, and one that stays open,
 * once it is filled completely; another one if it fills what is estimated.
 * @param {import("./amounts.js").Market} pair
 * @param {Request} order with a price
 * @param {Estimate|null} estimated null for a stop: then if it is filled completely
 * @returns {bigint}
 */
export function minimumReceived(pair, { side, ticks, lots, budget, timeInForce = "GTC", postOnly = false, isMarket = false }, estimated) {
  let quantity = budget === undefined ? lots : mostLots(pair, budget, ticks);
  const ends = isMarket || timeInForce === "IOC" || (estimated?.rests === 0n && timeInForce === "GTC");
  if (estimated && ends && estimated.lots < quantity) quantity = estimated.lots;
  const gross = side === "buy" ? baseUnits(pair, quantity) : total(pair, ticks, quantity);
  const { makerFeeBps, takerFeeBps } = pair;
  const bps = postOnly ? makerFeeBps : isMarket || timeInForce !== "GTC" ? takerFeeBps : Math.max(takerFeeBps, makerFeeBps);
  return gross - fee(gross, bps);
}
