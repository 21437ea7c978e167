// Tables of orders, trades and balances, for the Trade and Portfolio screens.

import { grouped, triggerText } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { NONE, setAmount, setTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { orderTables as strings } from "../strings/account.js";

const textColumn = (name, narrow) => ({ text: strings.columns[name], narrow });
const numberColumn = (name, narrow, label = true) => ({ text: strings.columns[name], num: true, narrow, label });
const timeColumn = (name, narrow) => ({ text: strings.columns[name], num: true, narrow });
const actionsColumn = (narrow) => ({ text: strings.columns.actions, num: true, hiddenHead: true, narrow });

function setPairAndSide([pair, side], order) {
  const name = `${order.base}/${order.quote}`;
  if (pair.dataset.pair !== name) {
    pair.dataset.pair = name;
    const href = `trade.html?${new URLSearchParams({ base: order.base, quote: order.quote })}`;
    pair.replaceChildren(el("a", { href }, name));
  }
  const type = order.type === "market" ? ` ${strings.market}` : "";
  setText(side, `${order.side === "buy" ? "▲" : "▼"} ${strings.sides[order.side]}${type}`);
  side.className = order.side;
}

/**
 * Decimal text without trailing zeros: two decimals at least, or none.
 * @param {string} decimal
 */
const amountText = (decimal) =>
  grouped(decimal.includes(".") ? decimal.replace(/(\.\d{2}\d*?)0+$/, "$1").replace(/\.00$/, "") : decimal);

const filledPercent = (order) => {
  const part = Number(order.filled) / Number(order.quantity);
  return `${(Math.floor(part * 1000) / 10).toFixed(part > 0 && part < 1 ? 1 : 0)} %`;
};

// A stop and the order that it placed have the same id; a rejected order has no seq.
const orderKey = (order) => `${order.id} ${order.seq ?? order.status}`;

function priceText(order) {
  const price = order.price === null ? strings.atMarket : grouped(order.price);
  return order.trigger_price ? strings.stopPrice(price, triggerText(order)) : price;
}

/**
 * Open orders and waiting stops.
 * @param {{cancel: (order: any) => void, replace: (order: any) => void}|null} actions null in a read-only view
 * @returns {import("../lib/table.js").DataTable}
 */
export function openOrdersTable(actions) {
  const columns = [
    textColumn("pair", "left"),
    textColumn("side", "right"),
    numberColumn("price", "left"),
    numberColumn("amount", "right", false),
    numberColumn("filled", "left"),
    timeColumn("placed", "none"),
    timeColumn("expires", "none"),
    ...(actions ? [actionsColumn("right")] : []),
  ];
  return dataTable(strings.openCaption, columns, strings.noOpen, orderKey, (cells, order, row) => {
    row.order = order; // the newest version, for the buttons
    setPairAndSide(cells, order);
    setText(cells[2], priceText(order));
    cells[2].title = order.stop_price ? strings.protectiveStop(grouped(order.stop_price), grouped(order.stop_limit)) : "";
    setText(cells[3], `${amountText(order.quantity)} ${order.quantity_symbol}`);
    setText(cells[4], filledPercent(order));
    setTime(cells[5], order.ts);
    if (order.expires) setTime(cells[6], order.expires);
    if (!actions || cells[7].firstChild) return;
    const action = (name, run) => {
      const amount = `${amountText(order.quantity)} ${order.base}`;
      const label = strings.ofOrder(name, strings.sides[order.side], amount, order.price ?? "");
      return button(name, () => run(row.order), { className: "plain needs-signature", "aria-label": label });
    };
    const canReplace = !order.trigger_price;
    cells[7].append(...(canReplace ? [action(strings.replace, actions.replace)] : []), action(strings.cancel, actions.cancel));
  });
}

/** Closed and rejected orders. @returns {import("../lib/table.js").DataTable} */
export function orderHistoryTable() {
  const columns = [
    textColumn("pair", "left"),
    textColumn("side", "right"),
    numberColumn("price", "left"),
    numberColumn("amount", "right", false),
    numberColumn("filled", "left"),
    numberColumn("received", "none"),
    timeColumn("closed", "right"),
    textColumn("status", "whole"),
  ];
  return dataTable(strings.historyCaption, columns, strings.noHistory, orderKey, (cells, order) => {
    setTime(cells[6], order.closed_ts ?? order.ts);
    if (order.status === "rejected") {
      cells[7].className = "reason bad";
      setText(cells[7], `${strings.statuses.rejected}: ${order.error}`);
      setText(cells[1], strings.actions[order.action] ?? order.action);
      for (const at of [0, 2, 3, 4, 5]) setText(cells[at], NONE);
      return;
    }
    setText(cells[7], strings.statuses[order.status] ?? order.status);
    setPairAndSide(cells, order);
    setText(cells[2], priceText(order));
    setText(cells[3], `${amountText(order.quantity)} ${order.quantity_symbol}`);
    setText(cells[4], filledPercent(order));
    setText(cells[5], `${amountText(order.received)} ${order.gets}`);
  });
}

/** Trades of the account. @returns {import("../lib/table.js").DataTable} */
export function tradeHistoryTable() {
  const columns = [
    textColumn("pair", "left"),
    textColumn("side", "right"),
    numberColumn("price", "left"),
    numberColumn("amount", "right", false),
    numberColumn("total", "whole"),
    numberColumn("fee", "whole"),
    textColumn("role", "left"),
    timeColumn("time", "right"),
  ];
  const key = (trade) => `${trade.id} ${trade.side}`;
  return dataTable(strings.tradesCaption, columns, strings.noTrades, key, (cells, trade) => {
    setPairAndSide(cells, trade);
    setText(cells[2], grouped(trade.price));
    setText(cells[3], `${amountText(trade.amount)} ${trade.base}`);
    setText(cells[4], `${amountText(trade.quote_amount)} ${trade.quote}`);
    setText(cells[5], `${amountText(trade.fee)} ${trade.side === "buy" ? trade.base : trade.quote}`);
    setText(cells[6], strings.roles[trade.role]);
    setTime(cells[7], trade.ts);
  });
}

/**
 * @param {boolean} isOwn whether to offer deposits and withdrawals
 * @returns {import("../lib/table.js").DataTable}
 */
export function balancesTable(isOwn) {
  const columns = [
    textColumn("token", "whole"),
    numberColumn("available", "whole"),
    numberColumn("locked", "whole"),
    numberColumn("withdrawing", "whole"),
    numberColumn("sum", "whole"),
    ...(isOwn ? [actionsColumn("whole")] : []),
  ];
  const empty = el("span", {}, strings.noBalances, " ", isOwn && el("a", { href: "transfer.html" }, strings.firstDeposit));
  return dataTable(strings.balancesCaption, columns, empty, (balance) => balance.symbol, (cells, balance) => {
    const { symbol } = balance;
    setText(cells[0], symbol);
    ["available", "locked", "withdrawing", "total"].forEach((name, at) => setAmount(cells[at + 1], balance[name]));
    if (!isOwn || cells[5].firstChild) return;
    const link = (direction, text, label) => {
      const href = `transfer.html?${new URLSearchParams({ do: direction, symbol })}`;
      return el("a", { className: "plain", href, "aria-label": label }, text);
    };
    cells[5].append(
      link("deposit", strings.deposit, strings.depositOf(symbol)),
      link("withdraw", strings.withdraw, strings.withdrawOf(symbol)),
    );
  });
}
