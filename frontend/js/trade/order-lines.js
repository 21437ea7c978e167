// The trader's orders as lines in the chart: open orders, the triggers of waiting stops, and protective stops.

import { amountText, kindText, protectionName } from "../account/order-texts.js";
import { grouped, plain, units } from "../lib/amounts.js";
import { sides } from "../strings/common.js";
import { orderLines as strings } from "../strings/workspace.js";

const MAX_LINES = 24;

/**
 * `kind` decides the style, `text` is the label.
 * @typedef {{ticks: bigint, side: "buy"|"sell", kind: "order"|"stop", text: string}} Line
 */

/**
 * Lines of an account's orders of one pair. Orders of the same side and price share a line.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {any[]} orders rows of /api/orders of that pair: open ones and waiting stops
 * @returns {Line[]}
 */
export function orderLines(pair, orders) {
  const ticks = (price) => units(price, pair.priceDecimals);
  const lines = orders.filter((order) => order.trigger_price || order.stop_price).flatMap((order) => stopLines(order, ticks));
  /** @type {Map<string, any[]>} */
  const groups = new Map();
  for (const order of orders.filter(({ trigger_price: trigger }) => !trigger)) {
    const key = `${order.side} ${order.price}`;
    groups.set(key, [...(groups.get(key) ?? []), order]);
  }
  const resting = [...groups.values()].map((group) => {
    const [{ side, price }] = group;
    const text = strings.order(sides[side], sum(pair, group), group.length);
    return { ticks: ticks(price), side, kind: "order", text };
  });
  return [...lines, ...resting].slice(0, MAX_LINES);
}

function stopLines(order, ticks) {
  const amount = `${amountText(order.remaining)} ${order.quantity_symbol}`;
  const line = (price, text) => [{ ticks: ticks(price), side: order.side, kind: "stop", text }];
  if (order.stop_price) return line(order.stop_price, strings.stop(protectionName(order), order.side, amount, null));
  const limit = order.type === "limit" ? grouped(order.price) : null;
  return line(order.trigger_price, strings.stop(kindText(order), order.side, amount, limit));
}

const sum = (pair, orders) =>
  amountText(plain(orders.reduce((all, { remaining }) => all + units(remaining, pair.basePrecision), 0n), pair.basePrecision));
