// Account panel of the trading screen: open orders, order history, trade history and balances.

import { readOrderHistory, readTradeHistory } from "../data/account-history.js";
import { balancesTable } from "../account/balances-table.js";
import { openOrdersTable, orderHistoryTable, tradeHistoryTable } from "../account/order-tables.js";
import { signedOrders } from "../account/signed-orders.js";
import { button, byId, el, setText } from "../lib/dom.js";
import { scheduleRender } from "../lib/render.js";
import { errorNote } from "../lib/widgets.js";
import { orderTables as tableStrings } from "../strings/account.js";
import { accountPanel as strings } from "../strings/workspace.js";

const MIN_READ_MS = 3000;

export class AccountPanel {
  /**
   * @param {HTMLElement} root the panel with its text for visitors without an account
   * @param {import("../lib/amounts.js").Market} pair
   * @param {{cancel: (order: any) => void, replace: (order: any) => void,
   *   cancelAll: (which: {base?: string, quote?: string, count: number}) => void}} actions
   */
  constructor(root, pair, actions) {
    this.pair = pair;
    this.noAccount = byId("no-account").textContent;
    /** @type {import("../data/live-account.js").LiveAccount|null} */
    this.account = null;
    this.signed = signedOrders(() => scheduleRender(this.render));
    this.tables = {
      open: openOrdersTable(actions, this.signed, tableStrings.noOpenBesideBook),
      history: orderHistoryTable(this.signed),
      trades: tradeHistoryTable(),
      balances: balancesTable(true),
    };
    const tab = ([name, text]) => {
      const attributes = { role: "tab", id: `account-${name}`, "aria-controls": "account-table" };
      return [name, button(text, () => this.select(name), attributes)];
    };
    this.tabs = Object.fromEntries(Object.entries(strings.tabs).map(tab));
    this.onlyPair = el("input", { type: "checkbox", id: "account-only-pair", onchange: () => this.select(this.selected) });
    this.filter = el(
      "label",
      { className: "check small muted", htmlFor: "account-only-pair" },
      this.onlyPair,
      strings.onlyPair(`${pair.base}/${pair.quote}`),
    );
    const cancelAll = () => actions.cancelAll({ ...this.pairFilter(), count: this.shownOrders().length });
    this.cancelAll = button("", cancelAll, { className: "plain", hidden: true });
    this.content = el("div", { role: "tabpanel", id: "account-table" });
    root.replaceChildren(
      el(
        "header",
        {},
        el(
          "div",
          { className: "tabs", role: "tablist", "aria-label": strings.title, onkeydown: (event) => this.onKey(event) },
          ...Object.values(this.tabs),
        ),
        el("span", { className: "spacer" }),
        this.filter,
        this.cancelAll,
      ),
      this.content,
    );
    this.select("open");
  }

  /** @param {import("../data/live-account.js").LiveAccount|null} account */
  setAccount(account) {
    this.account = account;
    this.history = null; // closed and rejected orders; null until read
    this.tables.history.show(null);
    this.tables.trades.show(null);
    this.select(this.selected);
  }

  select(name) {
    this.selected = name;
    for (const [key, tab] of Object.entries(this.tabs)) {
      tab.setAttribute("aria-selected", String(key === name));
      tab.tabIndex = key === name ? 0 : -1;
    }
    this.content.setAttribute("aria-labelledby", `account-${name}`);
    this.filter.hidden = name === "balances" || !this.account;
    this.content.replaceChildren(this.account ? this.tables[name].node : el("p", { className: "empty" }, this.noAccount));
    this.isStale = true;
    this.render();
  }

  // Arrow keys, Home and End select a tab: only the selected one is in the page's tab order.
  onKey(event) {
    const names = Object.keys(this.tabs);
    const at = names.indexOf(this.selected);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.select(names.at(next % names.length));
    this.tabs[this.selected].focus();
  }

  /** Mark the history as out of date, because the account has changed. */
  invalidate() {
    this.isStale = true;
  }

  pairFilter() {
    return this.onlyPair.checked ? { base: this.pair.base, quote: this.pair.quote } : {};
  }

  isShown({ base, quote }) {
    return !this.onlyPair.checked || (base === this.pair.base && quote === this.pair.quote);
  }

  /** Open orders and waiting stops that pass the filter; null until loaded. */
  shownOrders() {
    return this.account?.openOrders()?.filter((order) => this.isShown(order)) ?? null;
  }

  /** Bring the selected tab up to date. */
  render = () => {
    const { account, selected } = this;
    const count = account?.openOrders()?.length ?? 0;
    const shown = this.shownOrders();
    setText(this.tabs.open, count ? strings.openCount(count) : strings.tabs.open);
    this.cancelAll.hidden = selected !== "open" || !shown?.length;
    setText(this.cancelAll, strings.cancelAll(shown?.length ?? 0));
    if (!account) return;
    if (selected === "open") this.tables.open.show(shown);
    else if (selected === "balances") this.tables.balances.show(account.funds());
    else if (this.isStale) this.readHistory();
    else if (selected === "history") this.showHistory();
  };

  // Of a rejected order the API does not know the pair, but what was signed may tell it.
  showHistory() {
    const isOther = (order) => order.status === "rejected" && this.signed.of(order)?.base && !this.isShown(this.signed.of(order));
    if (this.history) this.tables.history.show(this.history.filter((order) => !isOther(order)));
  }

  showRead(selected, rows) {
    if (selected === "trades") this.tables.trades.show(rows);
    else {
      this.history = rows;
      this.showHistory();
    }
  }

  // The history is read while it is visible and has changed, every few seconds at most.
  async readHistory() {
    if (this.isReading) return;
    this.isReading = true;
    this.isStale = false;
    const { account, selected } = this;
    const isCurrent = () => account === this.account && selected === this.selected;
    const readRows = selected === "history" ? readOrderHistory : readTradeHistory;
    try {
      const rows = await readRows(account.name, this.pairFilter());
      if (isCurrent()) this.showRead(selected, rows);
    } catch (error) {
      if (isCurrent()) this.content.replaceChildren(errorNote(error.message, () => this.select(selected)));
    }
    setTimeout(() => {
      this.isReading = false;
      if (this.isStale) this.render();
    }, isCurrent() ? MIN_READ_MS : 0);
  }
}
