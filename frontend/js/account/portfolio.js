// Portfolio screen of the chosen account; account.html?user= is the read-only view of any account.

import { readOrderHistory, readTradeHistory } from "../data/account-history.js";
import { read, readVenue } from "../data/api.js";
import { LiveAccount } from "../data/live-account.js";
import { isAccount, onAccount } from "../data/session.js";
import { subscribe } from "../data/stream.js";
import { plain, show, units } from "../lib/amounts.js";
import { button, byId, el, setText } from "../lib/dom.js";
import { compact, NONE } from "../lib/format.js";
import { scheduleRender } from "../lib/render.js";
import { local } from "../lib/storage.js";
import { errorNote, panel } from "../lib/widgets.js";
import { proofCard } from "../audit/proof-card.js";
import { chooseAccount, mountShell } from "../shell/shell.js";
import { portfolio as strings } from "../strings/account.js";
import { balancesTable, openOrdersTable, orderHistoryTable, tradeHistoryTable } from "./order-tables.js";
import { depositsTable, withdrawalsTable } from "./transfer-tables.js";
import { conversionRates, valueOf } from "./valuation.js";

const HISTORY_DELAY_MS = 5000;
const MAX_TRANSFERS = 100;
const TARGET_KEY = "peakedex.valuein";
const CSV_COLUMNS = ["id", "time", "pair", "side", "role", "price", "amount", "total", "fee", "fee_symbol"];
const isOwn = !location.pathname.endsWith("/account.html");

/** @type {Page|null} */
let page = null;

function open(name, input = "") {
  page?.close();
  page = null;
  if (name) page = new Page(name);
  else if (isOwn) showMessage(strings.noAccount, button(strings.chooseAccount, chooseAccount, { className: "button main" }));
  else showMessage(strings.invalidName(input));
}

function showMessage(...content) {
  byId("page").replaceChildren(
    el("h1", {}, isOwn ? strings.title : strings.accountTitle),
    el("div", { className: "panel" }, el("div", { className: "error-note" }, ...content)),
  );
}

class Page {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.account = new LiveAccount(name);
    this.venue = null;
    this.pairs = [];
    this.trades = [];
    this.isClosed = false;
    this.build();
    this.subscription = subscribe([`account:${name}`], (message) => this.onMessage(message));
    this.load();
  }

  close() {
    this.isClosed = true;
    this.subscription.close();
  }

  build() {
    const act = (action, what) => import("./order-actions.js").then((actions) => actions[action](this.venue, what));
    const actions = isOwn
      ? { cancel: (order) => act("cancelOrder", order), replace: (order) => act("replaceOrder", order) }
      : null;
    this.tables = {
      balances: balancesTable(isOwn),
      open: openOrdersTable(actions),
      deposits: depositsTable(),
      withdrawals: withdrawalsTable(isOwn ? (withdrawal) => act("takeBackWithdrawal", withdrawal) : null),
      history: orderHistoryTable(),
      trades: tradeHistoryTable(),
    };
    this.cancelAll = button(strings.cancelAll, () => act("cancelAllOrders", {}), {
      className: "plain needs-signature",
      hidden: true,
    });
    this.csv = button(strings.csv, () => this.exportCsv(), { className: "plain", disabled: true });
    const section = (key, ...tools) => panel(key, strings.sections[key], { tools, content: [this.tables[key].node] });
    document.title = strings.documentTitle(isOwn ? strings.title : `@${this.name}`);
    byId("page").replaceChildren(this.head(), this.lead(), section("balances"));
    // Appended once the balances have their height, to avoid a layout shift.
    this.below = [
      section("open", ...(isOwn ? [this.cancelAll] : [])),
      section("withdrawals"),
      section("deposits"),
      section("trades", this.csv),
      section("history"),
      proofCard(this.name),
    ];
  }

  head() {
    this.value = el("span", { className: "total" }, NONE);
    this.target = el("select", { "aria-label": strings.valueIn, onchange: () => this.chooseTarget() });
    const label = el("span", { className: "muted" }, `${strings.value} `);
    return el(
      "div",
      { className: "head" },
      el("h1", {}, isOwn ? strings.title : strings.accountTitle),
      el("span", { className: "muted" }, `@${this.name}`),
      el("span", { className: "spacer" }),
      el("span", { className: "portfolio-value" }, label, this.value, " ", this.target),
    );
  }

  lead() {
    if (!isOwn) return el("p", { className: "lead" }, strings.readOnly);
    const link = el("a", { href: `account.html?${new URLSearchParams({ user: this.name })}` }, strings.publicLink);
    return el("p", { className: "small muted" }, strings.public, " ", link);
  }

  async load() {
    try {
      this.venue = await readVenue();
      this.offerTargets();
      await this.readHistory();
    } catch (error) {
      this.showError(error);
    }
  }

  showError(error) {
    if (this.isClosed) return;
    this.error ??= el("div", { className: "panel" });
    const retry = () => {
      this.error.remove();
      this.load();
    };
    this.error.replaceChildren(errorNote(error.message, retry));
    byId("page").children[1].after(this.error);
  }

  onMessage({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    for (const part of data.accounts ?? []) {
      if (this.account.apply(kind, part) && kind === "change") this.scheduleHistory();
    }
    scheduleRender(this.render);
  }

  render = () => {
    const open = this.account.openOrders();
    if (this.isClosed || !open) return;
    this.tables.balances.show(this.account.funds());
    this.tables.open.show(open);
    this.cancelAll.hidden = open.length === 0;
    this.showValue();
    if (!this.below[0].isConnected) byId("page").append(...this.below);
  };

  // The history is read again some seconds after a change, not at each change.
  scheduleHistory() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.readHistory().catch((error) => this.showError(error));
    }, HISTORY_DELAY_MS);
  }

  async readHistory() {
    const user = this.name;
    const [pairs, deposits, withdrawals, orders, trades] = await Promise.all([
      read("pairs"),
      read("deposits", { user, limit: MAX_TRANSFERS }),
      read("withdrawals", { user, limit: MAX_TRANSFERS }),
      readOrderHistory(user),
      readTradeHistory(user),
    ]);
    if (this.isClosed) return;
    this.pairs = pairs.pairs;
    this.trades = trades;
    this.csv.disabled = trades.length === 0;
    this.tables.deposits.show(deposits.deposits);
    this.tables.withdrawals.show(withdrawals.withdrawals);
    this.tables.history.show(orders);
    this.tables.trades.show(trades);
    this.showValue();
  }

  offerTargets() {
    const symbols = [...new Set(this.venue.pairs.map((pair) => pair.quote))];
    this.target.replaceChildren(...symbols.map((symbol) => el("option", { value: symbol }, symbol)));
    const stored = local.getItem(TARGET_KEY);
    this.target.value = symbols.includes(stored) ? stored : (symbols[0] ?? "");
  }

  chooseTarget() {
    local.setItem(TARGET_KEY, this.target.value);
    this.showValue();
  }

  showValue() {
    const funds = this.account.funds();
    if (!this.venue || !funds || !this.pairs.length) return;
    const precision = (symbol) => this.venue.tokens.find((token) => token.symbol === symbol)?.precision ?? 0;
    const rates = conversionRates(this.venue, this.pairs, this.target.value);
    const values = funds.map((row) => valueOf(units(row.total, precision(row.symbol)), rates.get(row.symbol)));
    const sum = values.reduce((total, value) => total + (value ?? 0n), 0n);
    const decimals = precision(this.target.value);
    setText(this.value, `${values.includes(null) ? "≥ " : ""}${compact(plain(sum, decimals))}`);
    this.value.title = strings.valueTitle(`${show(sum, decimals)} ${this.target.value}`);
  }

  exportCsv() {
    const rows = this.trades.map(({ id, ts, base, quote, side, role, price, amount, quote_amount: total, fee }) =>
      [id, ts, `${base}/${quote}`, side, role, price, amount, total, fee, side === "buy" ? base : quote]);
    const text = [CSV_COLUMNS, ...rows].map((row) => `${row.join(",")}\n`).join("");
    const link = el("a", {
      href: URL.createObjectURL(new Blob([text], { type: "text/csv" })),
      download: `peakedex-${this.name}-trades.csv`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

mountShell("portfolio");
if (isOwn) {
  let before;
  onAccount((name) => {
    if (name === before) return;
    before = name;
    open(name);
  });
} else {
  const name = new URLSearchParams(location.search).get("user") ?? "";
  open(isAccount(name) ? name : null, name);
}
