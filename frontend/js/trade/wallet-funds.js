// Wallet balances of the trader for orders that deposit what they spend. Read while they are needed.

import { readWalletBalances } from "../wallet/wallet-balances.js";

const MAX_AGE_MS = 10_000;

export class WalletFunds {
  /**
   * @param {any} venue
   * @param {() => void} onChange
   */
  constructor(venue, onChange) {
    this.venue = venue;
    this.onChange = onChange;
    this.clear(null);
  }

  clear(account) {
    this.account = account;
    this.readAt = 0;
    /** @type {Map<string, bigint|null>|null} null until loaded */
    this.balances = null;
  }

  /**
   * Units of a token in the wallet; null if no node answered, undefined until loaded. Reads them if they are old.
   * @param {string|null} account
   * @param {string} symbol
   */
  balance(account, symbol) {
    if (account !== this.account) this.clear(account);
    if (account && Date.now() - this.readAt > MAX_AGE_MS) this.read();
    return this.balances ? this.balances.get(symbol) ?? null : undefined;
  }

  /** Read the balances now. */
  async read() {
    const { account } = this;
    this.readAt = Date.now();
    const balances = await readWalletBalances(this.venue, account);
    if (account !== this.account) return;
    this.balances = balances;
    this.onChange();
  }
}
