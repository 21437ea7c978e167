// What an account did: orders that are over, rejected ones, and trades, read when they are asked for.

import { read } from "./api.js";

const PAST = 60;
const REJECTED = 20;
const TRADES = 100;

export class AccountPast {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
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
   * The account's newest trades. One with itself is two: it was on either side.
   * @param {{base?: string, quote?: string}} where
   */
  async ownTrades(where = {}) {
    const { trades } = await read("history", { user: this.name, limit: TRADES, ...where });
    return trades.flatMap((trade) => {
      if (trade.role !== "both") return [onSide(trade, trade.side, trade.role)];
      const other = trade.side === "buy" ? "sell" : "buy";
      return [onSide(trade, trade.side, "taker"), onSide(trade, other, "maker")];
    });
  }
}

function onSide(trade, side, role) {
  return { ...trade, side, role, fee: side === "buy" ? trade.buyer_fee : trade.seller_fee };
}
