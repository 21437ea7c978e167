// History of an account: closed and rejected orders, and its trades, read on demand.

import { read } from "./api.js";
import { isOpen } from "./live-account.js";

const MAX_ORDERS = 60;
const MAX_REJECTED = 20;
const MAX_TRADES = 100;

/**
 * Closed and rejected orders, newest first.
 * @param {string} user
 * @param {{base?: string, quote?: string}} [pair]
 * @returns {Promise<any[]>}
 */
export async function readOrderHistory(user, pair = {}) {
  const [orders, rejected] = await Promise.all([
    read("orders", { user, limit: MAX_ORDERS, ...pair }),
    read("orders", { user, status: "rejected", limit: MAX_REJECTED }),
  ]);
  const closed = (order) => order.closed_ts ?? order.ts;
  return [...orders.orders.filter((order) => !isOpen(order)), ...rejected.orders].sort((a, b) =>
    closed(a) < closed(b) ? 1 : -1,
  );
}

/**
 * The newest trades of an account. A trade with itself gives two rows: it was on both sides.
 * @param {string} user
 * @param {{base?: string, quote?: string}} [pair]
 * @returns {Promise<any[]>}
 */
export async function readTradeHistory(user, pair = {}) {
  const { trades } = await read("history", { user, limit: MAX_TRADES, ...pair });
  return trades.flatMap((trade) => {
    if (trade.role !== "both") return [fill(trade, trade.side, trade.role)];
    const other = trade.side === "buy" ? "sell" : "buy";
    return [fill(trade, trade.side, "taker"), fill(trade, other, "maker")];
  });
}

function fill(trade, side, role) {
  return { ...trade, side, role, fee: side === "buy" ? trade.buyer_fee : trade.seller_fee };
}
