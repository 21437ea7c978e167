// Why an order cannot be placed, and what else the trader must know before signing.

import { isReached, markText, protectSide } from "../data/marks.js";
import { baseUnits, MAX_UNITS, total, trimmed, units } from "../lib/amounts.js";
import { notes, obstacles as strings } from "../strings/ticket.js";

/**
 * @typedef {{order: import("../trade/read-order.js").Order, estimated: import("../lib/estimate.js").Estimate|null,
 *   pair: import("../lib/amounts.js").Market, venue: any, available: bigint|null|undefined, openCount: number|null,
 *   mark: import("../data/marks.js").Mark|null|undefined, isMarkMissing: boolean, marketDisabled: string,
 *   minimum: bigint|null}} Facts
 * `available`: units of what the order gives, at the exchange or in the wallet; null if unknown, undefined until loaded.
 * `mark`: null if the pair has none, undefined until loaded; `isMarkMissing`: it cannot be read. `minimum`: the least
 * that the order yields; null if it is incomplete.
 */

/**
 * Units of the token that the order gives; null if it is incomplete.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {import("../trade/read-order.js").Order} order
 */
export function cost(pair, { side, ticks, lots, budget }) {
  if (budget !== null) return budget;
  if (lots === null) return null;
  if (side === "sell") return baseUnits(pair, lots);
  return ticks === null ? null : total(pair, ticks, lots);
}

/**
 * Why the order cannot be placed, else "".
 * @param {Facts} facts
 */
export function obstacle(facts) {
  const { order, estimated, pair, marketDisabled } = facts;
  const { kind, trigger } = order;
  if (pair.status !== "active") return strings.status(pair.status);
  if (kind.isMarket && !kind.isStop && marketDisabled) return marketDisabled;
  if (kind.isMarket && !kind.isStop && order.ticks === null && !order.errors.length) return strings.noLiquidity;
  return (
    exceedsRange(pair, order)
    || tooManyOrders(facts)
    || (kind.isStop && unreached(facts, trigger?.ticks ?? null, trigger?.when))
    || (order.hasProtect && protectProblem(facts))
    || lacksFunds(facts)
    || strings[estimated?.code]
    || ""
  );
}

function exceedsRange(pair, order) {
  const { ticks, lots } = order;
  const amounts = [cost(pair, order) ?? 0n, lots === null ? 0n : baseUnits(pair, lots)];
  if (ticks !== null && lots !== null && !order.kind.isMarket) amounts.push(total(pair, ticks, lots));
  return amounts.some((amount) => amount > MAX_UNITS) ? strings.range : "";
}

function tooManyOrders({ order, venue, openCount }) {
  const isCounted = order.kind.isStop || (!order.kind.isMarket && order.timeInForce === "GTC");
  return isCounted && openCount !== null && openCount >= venue.max_open_orders ? strings.limit(venue.max_open_orders) : "";
}

function protectProblem(facts) {
  const { side, protect } = facts.order;
  if (!protect) return unreached(facts, null) || strings.stopNeeded;
  const { stopTicks, limitTicks } = protect;
  const isBeyond = side === "sell" ? limitTicks > stopTicks : limitTicks < stopTicks;
  return unreached(facts, stopTicks, protectSide(side)) || (isBeyond ? strings.worstBeyondStop(side) : "");
}

// A stop needs a mark that has not reached its price.
function unreached({ pair, mark, isMarkMissing }, ticks, when) {
  if (mark === null) return strings.noMark;
  if (mark === undefined) return isMarkMissing ? strings.markFailed : strings.markLoading;
  return ticks !== null && isReached(pair, mark, ticks, when) ? strings.reached(markText(pair, mark), when) : "";
}

function lacksFunds({ order, pair, available }) {
  const needed = cost(pair, order);
  const symbol = order.side === "buy" ? pair.quote : pair.base;
  if (order.fromWallet && available === undefined) return strings.walletLoading;
  if (order.fromWallet && available === null) return strings.walletUnknown;
  if (needed === null || available === null || available === undefined || needed <= available) return "";
  return order.fromWallet ? strings.insufficientWallet(symbol) : strings.insufficient(symbol);
}

/**
 * What does not prevent the order, but must be known.
 * @param {Facts} facts
 */
export function warnings({ order, estimated, pair, venue, minimum }) {
  const found = [];
  if (estimated?.meetsOwn) found.push(pair.selfTrade === "cancel_incoming" ? notes.stopsAtOwn : notes.cancelsOwn);
  const symbol = order.side === "buy" ? pair.base : pair.quote;
  const token = venue.tokens.find((row) => row.symbol === symbol);
  if (order.fromWallet && minimum !== null && minimum < units(token.min_withdrawal, token.precision)) {
    found.push(notes.belowMinimum(`${trimmed(token.min_withdrawal)} ${symbol}`));
  }
  return found.join(" ");
}
