// Tables of orders and trades, for the Trade and Portfolio screens.

import { grouped } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { NONE, setTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { orderTables as strings } from "../strings/account.js";
import { amountText, averageText, becomes, conditionText, kindText, priceText, stopLossText, worstText } from "./order-texts.js";

const OWN_KEYS = ["active", "posting"];

const textColumn = (name, narrow) => ({ text: strings.columns[name], narrow });
const numberColumn = (name, narrow, label = true) => ({ text: strings.columns[name], num: true, narrow, label });
const wrapColumn = (name) => ({ ...numberColumn(name, "whole"), className: "wrap" }); // on two lines where space is short
const timeColumn = (name, narrow) => ({ text: strings.columns[name], num: true, narrow, className: "time" });
const actionsColumn = (narrow) => ({ text: strings.columns.actions, num: true, hiddenHead: true, narrow, className: "actions" });

/**
 * Terms that only the signed operation tells: of rejected orders, and whether an order is post-only. See
 * signed-orders.js, which is loaded later.
 * @typedef {{of: (order: any) => any, seen: (order: any) => void, read: (order: any) => void,
 *   state: (order: any) => ""|"reading"|"failed"}} Signed `seen`: a rejected order is shown without its terms
 */

function setPairAndSide([pair, side], order, kind = kindText(order)) {
  const name = order.base ? `${order.base}/${order.quote}` : NONE;
  if (pair.dataset.pair !== name) {
    pair.dataset.pair = name;
    const href = `trade.html?${new URLSearchParams({ base: order.base, quote: order.quote })}`;
    pair.replaceChildren(order.base ? el("a", { href }, name) : NONE);
  }
  const sideName = `${order.side === "buy" ? "▲" : "▼"} ${strings.sides[order.side]}`;
  if (side.textContent === `${sideName} ${kind}`) return;
  side.replaceChildren(el("span", { className: order.side }, sideName), ` ${kind}`);
}

// What there is not is left out of a card.
function setOrNone(cell, text) {
  setText(cell, text || NONE);
  cell.classList.toggle("needless", !text);
}

function setPriceOrMarket(cell, order) {
  setText(cell, priceText(order));
  cell.title = worstText(order);
}

const filledPercent = (order) => {
  const part = Number(order.filled) / Number(order.quantity);
  return `${(Math.floor(part * 1000) / 10).toFixed(part > 0 && part < 1 ? 1 : 0)} %`;
};

// A stop and the order that it placed have the same id; a rejected order has no seq.
const orderKey = (order) => `${order.id} ${order.seq ?? order.status}`;

const tag = (text, title = "", kind = "") => el("span", { className: `tag ${kind}`, title }, text);

// Its state and everything that an open order of the same price and amount could differ in.
function setOpenStatus(cell, order, isPostOnly) {
  const key = `${order.status} ${isPostOnly} ${order.stop_price} ${order.trigger_price} ${order.stop_limit}`;
  if (cell.dataset.key === key) return;
  cell.dataset.key = key;
  const tags = [];
  if (isPostOnly) tags.push(tag(strings.postOnly));
  if (order.time_in_force && order.type === "limit" && order.time_in_force !== "GTC") tags.push(tag(order.time_in_force));
  if (order.by && !OWN_KEYS.includes(order.by)) tags.push(tag(strings.by(order.by)));
  if (order.settle === "wallet") tags.push(tag(strings.toWallet, strings.toWalletTitle));
  if (order.stop_price) tags.push(tag(...stopLossText(order), "stop"));
  const isWaiting = order.status === "waiting";
  const state = isWaiting
    ? [tag(strings.statuses.waiting, becomes(order), "wait"), el("span", { title: becomes(order) }, conditionText(order))]
    : tags.length ? [] : [strings.statuses.open];
  cell.replaceChildren(el("span", { className: "tags" }, ...state, ...tags));
}

/**
 * Open orders and waiting stops.
 * @param {{cancel: (order: any) => void, replace: (order: any) => void}|null} actions null in a read-only view
 * @param {Signed} signed
 * @param {string} [empty] shown where there are none
 * @returns {import("../lib/table.js").DataTable}
 */
export function openOrdersTable(actions, signed, empty = strings.noOpen) {
  const columns = [
    textColumn("pair", "left"),
    textColumn("type", "right"),
    numberColumn("price", "left"),
    numberColumn("amount", "right", false),
    numberColumn("filled", "left"),
    textColumn("status", "right"),
    timeColumn("placed", "none"),
    timeColumn("expires", "none"),
    ...(actions ? [actionsColumn("whole")] : []),
  ];
  return dataTable(strings.openCaption, columns, empty, orderKey, (cells, order, row) => {
    row.order = order; // the newest version, for the buttons
    setPairAndSide(cells, order);
    setPriceOrMarket(cells[2], order);
    setText(cells[3], `${amountText(order.quantity)} ${order.quantity_symbol}`);
    setText(cells[4], filledPercent(order));
    setOpenStatus(cells[5], order, order.post_only ?? signed.of(order)?.post_only ?? false);
    setTime(cells[6], order.ts);
    if (order.expires) setTime(cells[7], order.expires);
    if (!actions || cells[8].firstChild) return;
    const action = (name, run) => {
      const amount = `${amountText(order.quantity)} ${order.base}`;
      const label = strings.ofOrder(name, strings.sides[order.side], amount, order.price ?? "");
      return button(name, () => run(row.order), { className: "plain", "aria-label": label });
    };
    const canReplace = !order.trigger_price;
    cells[8].append(...(canReplace ? [action(strings.replace, actions.replace)] : []), action(strings.cancel, actions.cancel));
  });
}

function historyStatus(order) {
  const status = strings.statuses[order.status] ?? order.status;
  if (order.status === "rejected") return strings.reason(status, order.error);
  if (order.fired?.error) return strings.reason(order.trigger_price ? strings.statuses.triggered : strings.stopLossTriggered, order.fired.error);
  return order.fired && !order.trigger_price ? strings.stopLossTriggered : status;
}

/**
 * Closed and rejected orders.
 * @param {Signed} signed
 * @returns {import("../lib/table.js").DataTable}
 */
export function orderHistoryTable(signed) {
  const columns = [
    textColumn("pair", "left"),
    textColumn("type", "right"),
    numberColumn("price", "left"),
    numberColumn("average", "right"),
    wrapColumn("filledOf"),
    wrapColumn("fee"),
    timeColumn("closed", "left"),
    textColumn("status", "right"),
  ];
  return dataTable(strings.historyCaption, columns, strings.noHistory, orderKey, (cells, order) => {
    setTime(cells[6], order.closed_ts ?? order.ts);
    setText(cells[7], historyStatus(order));
    if (order.status === "rejected") {
      fillRejected(cells, order, signed);
      return;
    }
    setPairAndSide(cells, order);
    setPriceOrMarket(cells[2], order);
    setOrNone(cells[3], order.average_price && averageText(order.average_price));
    setText(cells[4], `${amountText(order.filled)} / ${amountText(order.quantity)}\u00a0${order.quantity_symbol}`);
    setOrNone(cells[5], Number(order.received) > 0 && `${amountText(order.fees)} ${order.gets}`);
  });
}

// The journal says of a rejected order only why; its terms come from what was signed.
function fillRejected(cells, order, signed) {
  cells[7].className = "reason bad";
  for (const at of [3, 5]) setOrNone(cells[at], null);
  const terms = signed.of(order);
  if (terms) {
    if (terms.side) setPairAndSide(cells, terms);
    else setText(cells[1], strings.actions[order.action] ?? order.action); // a replace from a node
    cells[2].classList.remove("needless");
    if (terms.price || terms.type === "market") setPriceOrMarket(cells[2], terms);
    else setOrNone(cells[2], null);
    setOrNone(cells[4], terms.quantity && `${amountText(terms.quantity)} ${terms.quantity_symbol}`);
    return;
  }
  setText(cells[1], strings.actions[order.action] ?? order.action);
  setText(cells[0], NONE);
  setOrNone(cells[2], null);
  signed.seen(order);
  const state = signed.state(order);
  if (cells[4].dataset.state === state) return;
  cells[4].dataset.state = state;
  const show = button(strings.showOrder, () => signed.read(order), {
    className: "plain", disabled: state === "reading", "aria-label": strings.showOrderOf(order.id.slice(0, 8)),
  });
  cells[4].replaceChildren(state === "failed" ? strings.noAnswer : show);
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
    setPairAndSide(cells, trade, "");
    setText(cells[2], grouped(trade.price));
    setText(cells[3], `${amountText(trade.amount)} ${trade.base}`);
    setText(cells[4], `${amountText(trade.quote_amount)} ${trade.quote}`);
    setText(cells[5], `${amountText(trade.fee)} ${trade.side === "buy" ? trade.base : trade.quote}`);
    setText(cells[6], strings.roles[trade.role]);
    setTime(cells[7], trade.ts);
  });
}
