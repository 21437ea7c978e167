// Sections of the Portfolio screen below the balances, loaded after the first paint: open orders, transfers, histories,
// the statement, grants and the proof.

import { readOrderHistory, readTradeHistory } from "../data/account-history.js";
import { read, readVenue } from "../data/api.js";
import { button, setText } from "../lib/dom.js";
import { scheduleRender } from "../lib/render.js";
import { panel } from "../lib/widgets.js";
import { proofCard } from "../audit/proof-card.js";
import { portfolio as strings } from "../strings/account.js";
import { GrantSection } from "./grant-section.js";
import { openOrdersTable, orderHistoryTable, tradeHistoryTable } from "./order-tables.js";
import { signedOrders } from "./signed-orders.js";
import { statementSection } from "./statement-section.js";
import { depositsTable, withdrawalsTable } from "./transfer-tables.js";

const MAX_TRANSFERS = 100;

const orderActions = () => import("./order-actions.js");

/** @type {Sections|null} those on the page */
let current = null;
const signed = signedOrders(() => current && scheduleRender(current.render));

export class Sections {
  /**
   * @param {import("../data/live-account.js").LiveAccount} account
   * @param {boolean} isOwn whether orders, withdrawals and grants can be changed
   */
  constructor(account, isOwn) {
    this.account = account;
    this.orders = null; // closed and rejected ones; null until read
    const action = (name) => async (what) => (await orderActions())[name](await readVenue(), what);
    const actions = { cancel: action("cancelOrder"), replace: action("replaceOrder") };
    this.tables = {
      open: openOrdersTable(isOwn ? actions : null, signed),
      deposits: depositsTable(),
      withdrawals: withdrawalsTable(isOwn ? action("takeBackWithdrawal") : null),
      history: orderHistoryTable(signed),
      trades: tradeHistoryTable(),
    };
    const cancelAll = action("cancelAllOrders");
    this.cancelAll = button("", () => cancelAll({ count: account.openOrders().length }), { className: "plain", hidden: true });
    this.grants = new GrantSection(account.name, isOwn);
    const section = (key, ...tools) => panel(key, strings.sections[key], { tools, content: [this.tables[key].node] });
    this.nodes = [
      section("open", ...(isOwn ? [this.cancelAll] : [])),
      section("withdrawals"),
      section("deposits"),
      section("trades"),
      section("history"),
      statementSection(account.name),
      this.grants.node,
      proofCard(account.name),
    ];
    current = this;
  }

  close() {
    this.grants.close();
    current = null;
  }

  render = () => {
    const open = this.account.openOrders();
    if (!open) return;
    this.tables.open.show(open);
    this.cancelAll.hidden = open.length === 0;
    setText(this.cancelAll, strings.cancelAll(open.length));
    if (this.orders) this.tables.history.show(this.orders);
  };

  async read() {
    const user = this.account.name;
    const [deposits, withdrawals, orders, trades] = await Promise.all([
      read("deposits", { user, limit: MAX_TRANSFERS }),
      read("withdrawals", { user, limit: MAX_TRANSFERS }),
      readOrderHistory(user),
      readTradeHistory(user),
    ]);
    this.orders = orders;
    this.tables.deposits.show(deposits.deposits);
    this.tables.withdrawals.show(withdrawals.withdrawals);
    this.tables.history.show(orders);
    this.tables.trades.show(trades);
  }
}
