// Reads the order that the ticket's form describes, in whole ticks, lots and units.

import { mostLots, showQuote, total, worstPrice } from "../lib/amounts.js";
import { parse } from "../lib/parse-amount.js";
import { amounts as inputStrings } from "../strings/common.js";
import { ticket as strings } from "../strings/ticket.js";
import { ORDER_TYPES, triggerSide } from "./order-types.js";

const MAX_SLIPPAGE_BPS = 5000n;

/**
 * What the trader entered; null where it is missing. `ticks` is the limit or the worst price, `budget` what a market
 * buy spends, and `errors` are by field. `hasProtect`: a protective stop is wanted, `protect` what was entered for it.
 * @typedef {{side: "buy"|"sell", type: import("./order-types.js").OrderType, kind: import("./order-types.js").Kind,
 *   ticks: bigint|null, lots: bigint|null, budget: bigint|null, trigger: {ticks: bigint, when: "above"|"below"}|null,
 *   hasProtect: boolean, protect: {stopTicks: bigint, limitTicks: bigint}|null, timeInForce: "GTC"|"IOC"|"FOK",
 *   postOnly: boolean, expiration: number|undefined, fromWallet: boolean, slippageBps?: number,
 *   errors: [import("../lib/widgets.js").Field, string][]}} Order
 */

/**
 * Parse a field; zero is no valid amount.
 * @param {import("../lib/widgets.js").Field} field
 * @param {number} decimals
 */
export function readField(field, decimals) {
  const result = parse(field.input.value, decimals);
  return result.units === 0n ? { problem: inputStrings.zero } : result;
}

/**
 * @param {any} form of ticket-form.js
 * @param {import("../lib/amounts.js").Market} pair
 * @param {{side: "buy"|"sell", type: import("./order-types.js").OrderType, edited: "amount"|"total", best: bigint|null}} state
 *   `edited`: the field typed last; `best`: the best price of the other side
 * @returns {Order}
 */
export function readOrder(form, pair, { side, type, edited, best }) {
  const kind = ORDER_TYPES[type];
  const errors = [];
  const read = (field, decimals) => {
    const { units, problem } = readField(field, decimals);
    if (problem) errors.push([field, problem]);
    return units ?? null;
  };
  const { options } = form;
  const timeInForce = kind.isMarket ? "GTC" : options.timeInForce.value;
  const staysOpen = !kind.isMarket && timeInForce === "GTC";
  const order = {
    side, type, kind, ticks: null, lots: null, budget: null, trigger: null, protect: null, timeInForce, errors,
    hasProtect: type === "limit" && staysOpen && options.protect.checked,
    postOnly: staysOpen && options.postOnly.checked,
    expiration: (kind.isStop || staysOpen) && options.lifetime.value ? Number(options.lifetime.value) : undefined,
    fromWallet: !kind.isStop && options.wallet.checked,
  };
  if (kind.isStop) {
    const ticks = read(form.trigger, pair.priceDecimals);
    if (ticks !== null) order.trigger = { ticks, when: triggerSide(type, side) };
  }
  if (kind.isMarket) {
    const from = kind.isStop ? order.trigger?.ticks ?? null : best;
    const bps = readSlippage(form.slippage, errors);
    order.slippageBps = bps ?? undefined;
    order.ticks = bps === null || from === null ? null : worstPrice(side, from, bps);
  } else order.ticks = read(form.price, pair.priceDecimals);
  if (kind.isMarket && side === "buy") order.budget = read(form.total, pair.quotePrecision);
  else if (kind.isMarket || edited === "amount") order.lots = read(form.amount, pair.quantityDecimals);
  else order.lots = lotsOfTotal(form, pair, order.ticks, read(form.total, pair.quotePrecision), errors);
  if (order.hasProtect) {
    const { protect, errors: problems } = options.stopFields.read();
    order.protect = protect;
    errors.push(...problems);
  }
  return order;
}

function lotsOfTotal(form, pair, ticks, spend, errors) {
  if (spend === null || ticks === null) return null;
  const lots = mostLots(pair, spend, ticks);
  if (lots === 0n) errors.push([form.total, strings.lessThanLot(showQuote(pair, total(pair, ticks, 1n)), pair.quote)]);
  return lots;
}

// The worst price of a market order is measured from a price: the best of the book, or the trigger.
function readSlippage(field, errors) {
  const { units: bps, problem } = parse(field.input.value, 2);
  if (bps !== undefined && bps <= MAX_SLIPPAGE_BPS) return Number(bps);
  errors.push([field, problem || strings.slippageRange]);
  return null;
}
