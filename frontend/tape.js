// Time and sales: the trades of a pair, newest first.

import { cut } from "./figures.js";
import { grouped } from "./amounts.js";
import { bones, make } from "./dom.js";
import { writePrice } from "./figures.js";
import { Rows, row, table } from "./rows.js";
import { tape as words } from "./strings.js";
import { inFull, timeOfDay } from "./when.js";

const MOST = 60;

export class Tape {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("./amounts.js").Market} pair
   */
  constructor(root, pair) {
    const columns = [
      { text: words.price(pair.quote) },
      { text: words.amount(pair.base), num: true },
      { text: words.time, num: true },
    ];
    const { node, body } = table(words.caption, columns);
    this.none = make("p", { className: "empty", hidden: true }, words.none);
    root.replaceChildren(
      make("header", {}, make("h2", { id: "tape-title" }, words.title)),
      make(
        "div",
        { className: "scroll", tabindex: "0", role: "group", "aria-labelledby": "tape-title" },
        node,
        this.none,
      ),
    );
    bones(body, 8, 3);
    this.pair = pair;
    this.trades = [];
    this.rows = new Rows(
      body,
      (trade) => String(trade.id),
      (trade) => this.build(columns, trade),
      () => {},
    );
  }

  build(columns, trade) {
    const node = row(columns);
    const [price, amount, time] = node.children;
    const up = trade.taker_side === "buy";
    price.className = up ? "buy" : "sell";
    const text = make("span");
    writePrice(text, grouped(trade.price));
    price.append(
      make("span", { "aria-hidden": "true" }, up ? "▲ " : "▼ "),
      make("span", { className: "unseen" }, up ? words.bought : words.sold),
      text,
    );
    amount.textContent = cut(trade.amount, Math.max(0, this.pair.quantityDecimals));
    time.textContent = timeOfDay(trade.ts);
    time.title = inFull(trade.ts);
    return node;
  }

  /** @param {any[]} trades newest first, in place of all */
  load(trades) {
    this.trades = trades.slice(0, MOST);
  }

  /** @param {any[]} trades new ones, in any order */
  add(trades) {
    const known = new Set(this.trades.map((trade) => trade.id));
    const fresh = trades.filter((trade) => !known.has(trade.id));
    this.trades = [...fresh, ...this.trades].sort((a, b) => b.id - a.id).slice(0, MOST);
  }

  show() {
    this.rows.show(this.trades);
    this.none.hidden = this.trades.length > 0;
  }
}
