// What an order or stop is, in short texts: for the tables of orders and for the lines in the chart.

import { grouped, triggerText } from "../lib/amounts.js";
import { orderTexts as strings } from "../strings/account.js";

/**
 * Decimal text without trailing zeros: two decimals at least, or none.
 * @param {string} decimal
 */
export const amountText = (decimal) =>
  grouped(decimal.includes(".") ? decimal.replace(/(\.\d{2}\d*?)0+$/, "$1").replace(/\.00$/, "") : decimal);

// A stop limits a loss or follows a breakout; a take-profit waits for a better price than the current one.
const isStop = (order) => (order.side === "sell") === (order.trigger_when === "below");

/** Name of an order's protective stop. @param {any} order */
export const protectionName = ({ side }) => strings.stopLoss[side];

/**
 * Its kind, such as "Limit" or "Take-profit market".
 * @param {any} order a row of /api/orders
 */
export function kindText(order) {
  if (order.trigger_price) return strings.triggered[isStop(order) ? "stop" : "profit"][order.type];
  return order.stop_of && order.stop_of !== order.id ? protectionName(order) : strings.kinds[order.type];
}

/** Its limit price; a market order has none. @param {any} order */
export const priceText = (order) => (order.type === "market" ? strings.atMarket : grouped(order.price));

/** A market order's worst price, for a tooltip. @param {any} order */
export const worstText = (order) => (order.type === "market" && order.price ? strings.worst(grouped(order.price)) : "");

/** The condition of a stop. @param {any} order */
export const conditionText = (order) => strings.condition(triggerText(order));

/** What a waiting stop becomes, in one sentence. @param {any} order */
export const becomes = (order) =>
  strings.becomes({
    condition: triggerText(order),
    side: order.side,
    amount: `${amountText(order.quantity)} ${order.quantity_symbol}`,
    price: order.type === "market" ? null : grouped(order.price),
    worst: order.type === "market" ? grouped(order.price) : null,
    base: order.base,
  });

/** The protective stop of an open order: its short text and its sentence. @param {any} order */
export const stopLossText = (order) => [
  strings.stopLossAt(protectionName(order), grouped(order.stop_price)),
  strings.stopLossSentence({
    side: order.side,
    condition: `${order.side === "sell" ? "≤" : "≥"} ${grouped(order.stop_price)}`,
    worst: grouped(order.stop_limit),
  }),
];

/**
 * The average price without needless zeros: the API gives four decimals more than a price has.
 * @param {string} price
 */
export function averageText(price) {
  const needed = price.length - 4;
  return grouped(price.slice(0, needed) + price.slice(needed).replace(/0+$/, "")).replace(/\.$/, "");
}
