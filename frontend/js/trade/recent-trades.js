// Recent trades of a pair (time and sales), newest first.

import { grouped } from "../lib/amounts.js";
import { el } from "../lib/dom.js";
import { fixed, setPrice, timeOfDay, utcTime } from "../lib/format.js";
import { KeyedRows, skeletonRows, table, tableRow } from "../lib/table.js";
import { recentTrades as strings } from "../strings/trade.js";

const MAX_TRADES = 60;

export class RecentTrades {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("../lib/amounts.js").Market} pair
   */
  constructor(root, pair) {
    const columns = [
      { text: strings.price(pair.quote) },
      { text: strings.amount(pair.base), num: true },
      { text: strings.time, num: true },
    ];
    const { node, body } = table(strings.caption, columns);
    body.append(...skeletonRows(8, columns.length));
    this.empty = el("p", { className: "empty", hidden: true }, strings.none);
    root.replaceChildren(
      el("header", {}, el("h2", { id: "trades-title" }, strings.title)),
      el("div", { className: "scroll", tabindex: "0", role: "group", "aria-labelledby": "trades-title" }, node, this.empty),
    );
    this.pair = pair;
    this.trades = [];
    this.rows = new KeyedRows(body, (trade) => String(trade.id), (trade) => this.buildRow(columns, trade), () => {});
  }

  buildRow(columns, trade) {
    const node = tableRow(columns);
    const [price, amount, time] = node.children;
    const isBuy = trade.taker_side === "buy";
    const text = el("span");
    setPrice(text, grouped(trade.price));
    price.className = isBuy ? "buy" : "sell";
    price.append(
      el("span", { "aria-hidden": "true" }, isBuy ? "▲ " : "▼ "),
      el("span", { className: "visually-hidden" }, isBuy ? strings.bought : strings.sold),
      text,
    );
    amount.textContent = fixed(trade.amount, Math.max(0, this.pair.quantityDecimals));
    time.textContent = timeOfDay(trade.ts);
    time.title = utcTime(trade.ts);
    return node;
  }

  /** Replace all trades. @param {any[]} trades newest first */
  load(trades) {
    this.trades = trades.slice(0, MAX_TRADES);
  }

  /** Add new trades. @param {any[]} trades in any order */
  add(trades) {
    const known = new Set(this.trades.map((trade) => trade.id));
    const added = trades.filter((trade) => !known.has(trade.id));
    this.trades = [...added, ...this.trades].sort((a, b) => b.id - a.id).slice(0, MAX_TRADES);
  }

  render() {
    this.rows.show(this.trades);
    this.empty.hidden = this.trades.length > 0;
  }
}
