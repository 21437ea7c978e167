// Live state of an account: its balances and open orders, kept up to date from the stream.

/** Whether an order is in the book, or a stop waits. @param {any} order a row of /api/orders */
export const isOpen = (order) => order.status === "open" || order.status === "waiting";

export class LiveAccount {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Map<string, any>|null} open orders and waiting stops by id; null until loaded */
    this.orders = null;
    /** @type {Map<string, any>|null} balances by symbol; null until loaded */
    this.balances = null;
  }

  /**
   * Apply the account's part of a snapshot or change. Parts of other accounts are ignored.
   * @param {"snapshot"|"change"} kind
   * @param {any} part
   * @returns {boolean} whether it was this account's
   */
  apply(kind, part) {
    if (part.user !== this.name) return false;
    if (kind === "snapshot") {
      this.orders = new Map(part.orders.map((order) => [order.id, order]));
      this.balances = new Map(part.balances.map((balance) => [balance.symbol, balance]));
    } else if (this.orders && this.balances) {
      for (const order of part.orders ?? []) {
        // The order that a stop fires has the stop's id: the older row must not remove the newer one.
        const held = this.orders.get(order.id);
        if (isOpen(order)) this.orders.set(order.id, order);
        else if (held?.seq === order.seq) this.orders.delete(order.id);
      }
      for (const balance of part.balances ?? []) this.balances.set(balance.symbol, balance);
    }
    return true;
  }

  /** Open orders and waiting stops, newest first; null until loaded. */
  openOrders() {
    return this.orders && [...this.orders.values()].sort((a, b) => b.seq - a.seq);
  }

  /** Balances above zero, by symbol; null until loaded. */
  funds() {
    return (
      this.balances &&
      [...this.balances.values()]
        .filter((balance) => /[1-9]/.test(balance.total))
        .sort((a, b) => (a.symbol < b.symbol ? -1 : 1))
    );
  }

  /**
   * The available balance as decimal text; null until loaded.
   * @param {string} symbol
   */
  available(symbol) {
    return this.balances && (this.balances.get(symbol)?.available ?? "0");
  }
}
