// Tables of orders, trades and balances, as the Trade and Portfolio screens show them.

import { grouped } from "./amounts.js";
import { make, write } from "./dom.js";
import { NONE, writeAmount } from "./figures.js";
import { Rows, row, table } from "./rows.js";
import { orderTables as words } from "./strings.js";
import { dayAndTime, inFull } from "./when.js";

/**
 * A table that is brought up to date by `show`, with a sentence where it is empty.
 * @typedef {{node: HTMLElement, show: (items: any[]|null) => void}} View
 */

const SKELETON = 3;

/**
 * @param {string} caption
 * @param {import("./rows.js").Column[]} columns
 * @param {string|HTMLElement} none what stands where there is nothing
 * @param {(item: any) => string} key
 * @param {(cells: HTMLElement[], item: any, line: HTMLElement) => void} fill
 * @returns {View}
 */
export function view(caption, columns, none, key, fill) {
  const { node, body } = table(caption, columns, "cards dense");
  const rows = new Rows(
    body,
    key,
    () => row(columns),
    (line, item) => fill([...line.children], item, line),
  );
  const empty = make("div", { className: "empty", hidden: true }, none);
  const scroll = make(
    "div",
    { className: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    node,
    empty,
  );
  const skeleton = Array.from({ length: SKELETON }, () =>
    make(
      "tr",
      { className: "bones", "aria-hidden": "true" },
      ...columns.map(() => make("td", {}, make("span", { className: "bone" }))),
    ),
  );
  body.append(...skeleton);
  return {
    node: scroll,
    show(items) {
      if (items === null) {
        rows.show([]);
        body.replaceChildren(...skeleton);
        empty.hidden = true;
        node.hidden = false;
        return;
      }
      rows.show(items);
      empty.hidden = items.length > 0;
      node.hidden = items.length === 0;
    },
  };
}

const text = (name, narrow) => ({ text: words.columns[name], narrow });
const number = (name, narrow, label = true) => ({ text: words.columns[name], num: true, narrow, label });
const time = (name, narrow) => ({ text: words.columns[name], num: true, narrow });
const ACTIONS = { text: words.columns.actions, num: true, unseen: true, narrow: "whole" };

function when(cell, ts) {
  write(cell, dayAndTime(ts));
  cell.title = inFull(ts);
}

function pairAndSide(cells, order) {
  const [pair, side] = cells;
  if (pair.dataset.pair !== `${order.base}/${order.quote}`) {
    pair.dataset.pair = `${order.base}/${order.quote}`;
    pair.replaceChildren(
      make(
        "a",
        { href: `trade.html?${new URLSearchParams({ base: order.base, quote: order.quote })}` },
        `${order.base}/${order.quote}`,
      ),
    );
  }
  sideOf(side, order);
}

function sideOf(cell, order) {
  write(
    cell,
    `${order.side === "buy" ? "▲" : "▼"} ${words.sides[order.side]}${order.type === "market" ? ` ${words.market}` : ""}`,
  );
  cell.className = order.side;
}

/**
 * Decimal text without its last zeros: two decimals or none at least.
 * @param {string} decimal
 */
const amount = (decimal) =>
  grouped(decimal.includes(".") ? decimal.replace(/(\.\d{2}\d*?)0+$/, "$1").replace(/\.00$/, "") : decimal);

const percent = (order) => {
  const part = Number(order.filled) / Number(order.quantity);
  return `${(Math.floor(part * 1000) / 10).toFixed(part > 0 && part < 1 ? 1 : 0)} %`;
};

/**
 * Open orders.
 * @param {{cancel: (order: any) => void, replace: (order: any) => void}|null} actions null where nobody may act
 * @returns {View}
 */
export function openOrders(actions) {
  const columns = [
    text("pair", "left"),
    text("side", "right"),
    number("price", "left"),
    number("amount", "right", false),
    number("filled", "left"),
    time("placed", "none"),
    time("expires", "none"),
  ];
  if (actions) columns.push({ ...ACTIONS, narrow: "right" });
  return view(
    words.openCaption,
    columns,
    words.noOpen,
    (order) => order.id,
    (cells, order, line) => {
      line.order = order;
      pairAndSide(cells, order);
      write(cells[2], order.price === null ? NONE : grouped(order.price));
      write(cells[3], `${amount(order.quantity)} ${order.quantity_symbol}`);
      write(cells[4], percent(order));
      when(cells[5], order.ts);
      if (order.expires) when(cells[6], order.expires);
      if (!actions || cells[7].firstChild) return;
      const name = (action) =>
        words.onOrder(action, words.sides[order.side], `${amount(order.quantity)} ${order.base}`, order.price ?? "");
      cells[7].append(
        make(
          "button",
          {
            type: "button",
            className: "plain signs",
            "aria-label": name(words.replace),
            onclick: () => actions.replace(line.order),
          },
          words.replace,
        ),
        make(
          "button",
          {
            type: "button",
            className: "plain signs",
            "aria-label": name(words.cancel),
            onclick: () => actions.cancel(line.order),
          },
          words.cancel,
        ),
      );
    },
  );
}

/** Orders that are over, and rejected ones. @returns {View} */
export function pastOrders() {
  const columns = [
    text("pair", "left"),
    text("side", "right"),
    number("price", "left"),
    number("amount", "right", false),
    number("filled", "left"),
    number("received", "none"),
    time("ended", "right"),
    text("status", "whole"),
  ];
  return view(
    words.pastCaption,
    columns,
    words.noPast,
    (order) => `${order.id} ${order.status}`,
    (cells, order) => {
      when(cells[6], order.closed_ts ?? order.ts);
      if (order.status !== "rejected") write(cells[7], words.statuses[order.status] ?? order.status);
      cells[7].className = order.status === "rejected" ? "why bad" : "";
      if (order.status === "rejected") {
        write(cells[7], `${words.statuses.rejected}: ${order.error}`);
        write(cells[1], words.actions[order.action] ?? order.action);
        for (const cell of [cells[0], cells[2], cells[3], cells[4], cells[5]]) write(cell, NONE);
        return;
      }
      pairAndSide(cells, order);
      write(cells[2], order.price === null ? words.atMarket : grouped(order.price));
      write(cells[3], `${amount(order.quantity)} ${order.quantity_symbol}`);
      write(cells[4], percent(order));
      write(cells[5], `${amount(order.received)} ${order.gets}`);
    },
  );
}

/** The account's own trades. @returns {View} */
export function ownTrades() {
  const columns = [
    text("pair", "left"),
    text("side", "right"),
    number("price", "left"),
    number("amount", "right", false),
    number("total", "whole"),
    number("fee", "whole"),
    text("role", "left"),
    time("time", "right"),
  ];
  return view(
    words.tradesCaption,
    columns,
    words.noTrades,
    (trade) => `${trade.id} ${trade.side}`,
    (cells, trade) => {
      pairAndSide(cells, trade);
      write(cells[2], grouped(trade.price));
      write(cells[3], `${amount(trade.amount)} ${trade.base}`);
      write(cells[4], `${amount(trade.quote_amount)} ${trade.quote}`);
      write(cells[5], `${amount(trade.fee)} ${trade.side === "buy" ? trade.base : trade.quote}`);
      write(cells[6], words.roles[trade.role]);
      when(cells[7], trade.ts);
    },
  );
}

/**
 * What an account holds.
 * @param {boolean} own whether the reader may move it
 * @returns {View}
 */
export function balances(own) {
  const columns = [
    text("token", "whole"),
    number("available", "whole"),
    number("locked", "whole"),
    number("withdrawing", "whole"),
    number("sum", "whole"),
  ];
  if (own) columns.push(ACTIONS);
  const none = make("span", {}, words.noFunds, " ", own && make("a", { href: "transfer.html" }, words.depositFirst));
  return view(
    words.fundsCaption,
    columns,
    none,
    (balance) => balance.symbol,
    (cells, balance) => {
      write(cells[0], balance.symbol);
      ["available", "locked", "withdrawing", "total"].forEach((name, at) => writeAmount(cells[at + 1], balance[name]));
      if (!own || cells[5].firstChild) return;
      const to = (way) => `transfer.html?${new URLSearchParams({ do: way, symbol: balance.symbol })}`;
      cells[5].append(
        make(
          "a",
          { className: "plain", href: to("deposit"), "aria-label": words.depositOf(balance.symbol) },
          words.deposit,
        ),
        make(
          "a",
          { className: "plain", href: to("withdraw"), "aria-label": words.withdrawOf(balance.symbol) },
          words.withdraw,
        ),
      );
    },
  );
}
