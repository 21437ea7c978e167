// Figures of the order ticket: what the order is estimated to do, fees, and the least that it yields.

import { showBase, showLots, showPrice, showQuote, trimmed } from "../lib/amounts.js";
import { NONE } from "../lib/format.js";
import { duration } from "../strings/common.js";
import { estimate as strings } from "../strings/ticket.js";
import { cost } from "../account/order-checks.js";

/**
 * Rows of name, value and whether it stands out. A type has always the same rows: the button below does not move.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {any} venue
 * @param {import("./read-order.js").Order} order
 * @param {import("../lib/estimate.js").Estimate|null} estimated
 * @param {bigint|null} minimum the least that it yields
 * @returns {[string, string, boolean?][]}
 */
export function figures(pair, venue, order, estimated, minimum) {
  const rates = [strings.rates, strings.rate(pair.makerFeeBps, pair.takerFeeBps)];
  if (order.kind.isStop) return stopFigures(pair, venue, order, minimum, rates);
  if (!estimated) {
    return [...[strings.fills, strings.average, strings.fee].map((name) => [name, NONE]), rates, [strings.minimum, NONE], [strings.open, NONE]];
  }
  const { crosses, average } = estimated;
  const received = receives(pair, order.side);
  return [
    [strings.fills, crosses ? `${showLots(pair, estimated.lots)} ${pair.base}` : strings.nothing],
    [strings.average, average === null ? NONE : `${average} ${pair.quote}`],
    [strings.fee, received(estimated.fee + estimated.makerFee)],
    rates,
    [strings.minimum, minimum === null ? NONE : received(minimum), true],
    remainder(pair, order, estimated),
  ];
}

function stopFigures(pair, venue, order, minimum, rates) {
  const { kind, ticks, side } = order;
  const held = cost(pair, order);
  const gives = side === "buy" ? showQuote : showBase;
  const symbol = side === "buy" ? pair.quote : pair.base;
  return [
    [strings.onHold, held === null ? NONE : `${trimmed(gives(pair, held))} ${symbol}`],
    [kind.isMarket ? strings.worst : strings.limit, ticks === null ? NONE : `${showPrice(pair, ticks)} ${pair.quote}`],
    rates,
    [strings.minimum, minimum === null ? NONE : receives(pair, side)(minimum), true],
    [strings.expires, duration(order.expiration ?? venue.order_lifetime)],
  ];
}

const receives = (pair, side) => (amount) =>
  side === "buy" ? `${trimmed(showBase(pair, amount))} ${pair.base}` : `${trimmed(showQuote(pair, amount))} ${pair.quote}`;

function remainder(pair, order, { restBudget, restLots, rests }) {
  if (order.budget !== null) return [strings.unspent, `${trimmed(showQuote(pair, restBudget))} ${pair.quote}`];
  const rest = restLots === 0n ? strings.none : `${showLots(pair, restLots)} ${pair.base}`;
  const staysOpen = !order.kind.isMarket && order.timeInForce === "GTC" && rests === restLots;
  return [staysOpen ? strings.open : strings.unfilled, rest];
}
