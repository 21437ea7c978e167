// What an account has now: balances and open orders, out of the stream.

export class AccountData {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Map<string, any>|null} open orders by id; null until known */
    this.orders = null;
    /** @type {Map<string, any>|null} balances by symbol */
    this.balances = null;
  }

  /** @param {any} account the part of a snapshot */
  load(account) {
    this.orders = new Map(account.orders.map((order) => [order.id, order]));
    this.balances = new Map(account.balances.map((balance) => [balance.symbol, balance]));
  }

  /** @param {any} account the part of a change */
  change(account) {
    if (!this.orders || !this.balances) return;
    for (const order of account.orders ?? []) {
      if (order.status === "open") this.orders.set(order.id, order);
      else this.orders.delete(order.id);
    }
    for (const balance of account.balances ?? []) this.balances.set(balance.symbol, balance);
  }

  /** Open orders, newest first; null until known. */
  open() {
    return this.orders && [...this.orders.values()].sort((a, b) => b.seq - a.seq);
  }

  /** Balances that are not nothing, by symbol; null until known. */
  funds() {
    return (
      this.balances &&
      [...this.balances.values()]
        .filter((balance) => /[1-9]/.test(balance.total))
        .sort((a, b) => (a.symbol < b.symbol ? -1 : 1))
    );
  }
}
