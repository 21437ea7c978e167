// What an account did: orders that are over, rejected ones, and trades, read when they are asked for.

import { read } from "./api.js";

const PAST = 60;
const REJECTED = 20;
const ORDERS_WITH_TRADES = 20;

export class AccountPast {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Map<string, {filled: string, trades: any[]}>} by order */
    this.known = new Map();
  }

  /**
   * Orders that are over and rejected ones, newest first.
   * @param {{base?: string, quote?: string}} where
   */
  async orders(where = {}) {
    const [orders, rejected] = await Promise.all([
      read("orders", { user: this.name, limit: PAST, ...where }),
      read("orders", { user: this.name, status: "rejected", limit: REJECTED }),
    ]);
    const ended = (order) => order.closed_ts ?? order.ts;
    return [...orders.orders.filter((order) => order.status !== "open"), ...rejected.orders].sort((a, b) =>
      ended(a) < ended(b) ? 1 : -1,
    );
  }

  /**
   * The account's newest trades: those of its newest orders that were filled at all.
   * @param {{base?: string, quote?: string}} where
   */
  async ownTrades(where = {}) {
    const { orders } = await read("orders", { user: this.name, limit: PAST, ...where });
    const filled = orders.filter((order) => /[1-9]/.test(order.filled)).slice(0, ORDERS_WITH_TRADES);
    const lists = await Promise.all(filled.map((order) => this.tradesOf(order)));
    return lists.flat().sort((a, b) => b.id - a.id);
  }

  // An order's trades change only while it is open, and then with what is filled.
  async tradesOf(order) {
    const known = this.known.get(order.id);
    if (known?.filled === order.filled) return known.trades;
    const body = await read(`orders/${order.id}`, { limit: 50 });
    const trades = body.trades.map((trade) => ({
      ...trade,
      base: order.base,
      quote: order.quote,
      side: order.side,
      role: trade.taker_order === order.id ? "taker" : "maker",
      fee: order.side === "buy" ? trade.buyer_fee : trade.seller_fee,
    }));
    this.known.set(order.id, { filled: order.filled, trades });
    return trades;
  }
}
