// Order book view: asks above, bids below, the spread between them; bars show cumulative amounts, dots own orders.

import { groupingSteps, groupPrice } from "../data/order-book.js";
import { grouped, plainLots, showLots, showPrice } from "../lib/amounts.js";
import { el, flash, setText } from "../lib/dom.js";
import { NONE, setPrice } from "../lib/format.js";
import { KeyedRows, skeletonRows } from "../lib/table.js";
import { orderBook as strings } from "../strings/trade.js";

const MAX_ROWS = 40;
const VISIBLE_ROWS = 16;
const SKELETON_ROWS = 9;
const KEY_STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

export class OrderBookView {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("../lib/amounts.js").Market} pair
   * @param {{onSelect: (level: {side: "bids"|"asks", ticks: bigint, lots: bigint}) => void, onGroup: () => void}} handlers
   *   `onSelect`: a level was chosen; `lots` are cumulative. `onGroup`: the grouping changed, so render again
   */
  constructor(root, pair, { onSelect, onGroup }) {
    this.root = root;
    this.pair = pair;
    this.onSelect = onSelect;
    this.step = 1n; // grouping in ticks
    this.ownLots = new Map();
    const regroup = () => {
      this.step = BigInt(this.grouping.value);
      onGroup();
    };
    this.grouping = el("select", { "aria-label": strings.grouping, title: strings.grouping, onchange: regroup });
    this.heads = [strings.price(pair.quote), strings.amount(pair.base), strings.total];
    this.asks = this.buildSide("asks", strings.noAsks);
    this.bids = this.buildSide("bids", strings.noBids);
    this.lastPrice = el("span", { className: "price" }, NONE);
    this.spread = el("span", { className: "small muted" });
    root.replaceChildren(
      el("header", {}, el("h2", { id: "book-title" }, strings.title), el("span", { className: "spacer" }), this.grouping),
      el("div", { className: "column-heads", "aria-hidden": "true" }, ...this.heads.map((text) => el("span", {}, text))),
      this.asks.scroll,
      el("div", { className: "spread-row" }, this.lastPrice, this.spread),
      this.bids.scroll,
    );
    root.addEventListener("keydown", (event) => this.onKey(event));
  }

  buildSide(side, emptyText) {
    const body = el("tbody", {}, ...skeletonRows(SKELETON_ROWS, this.heads.length));
    const heads = el("tr", {}, ...this.heads.map((text) => el("th", { scope: "col" }, text)));
    const table = el(
      "table",
      { className: "levels" },
      el("caption", { className: "visually-hidden" }, strings.caption[side]),
      el("colgroup", {}, el("col", { className: "prices" }), el("col"), el("col")),
      el("thead", { className: "visually-hidden" }, heads),
      body,
    );
    const rows = new KeyedRows(
      body,
      (row) => String(row.ticks),
      (row) => this.buildRow(side, row),
      (node, row) => this.updateRow(side, node, row),
    );
    const empty = el("p", { className: "empty small" }, emptyText);
    return { scroll: el("div", { className: `side ${side}` }, table), rows, body, empty };
  }

  buildRow(side, row) {
    const price = el("button", { type: "button", tabIndex: -1, className: side === "asks" ? "sell" : "buy" }, el("span"));
    const select = () => this.onSelect({ side, ticks: node.level.ticks, lots: node.level.sum });
    const node = el("tr", { onclick: select }, el("td", {}, price), el("td"), el("td", { className: "muted" }));
    node.level = row;
    return node;
  }

  updateRow(side, node, row) {
    const { pair } = this;
    const [first, amount, sum] = node.children;
    const price = first.firstChild;
    const isChanged = node.level.lots !== row.lots;
    node.level = row;
    setPrice(price.lastChild, showPrice(pair, row.ticks));
    setText(amount, showLots(pair, row.lots));
    setText(sum, wholeLots(pair, row.sum));
    if (isChanged) flash(amount);
    const depth = this.maxSum === 0n ? 0 : Number((row.sum * 1000n) / this.maxSum) / 10;
    node.style.setProperty("--depth", `${Math.min(100, depth)}%`);
    this.markOwn(price, this.ownLots.get(`${side} ${row.ticks}`) ?? 0n);
    const label = strings.level(side, `${showPrice(pair, row.ticks)} ${pair.quote}`, `${amount.textContent} ${pair.base}`);
    price.setAttribute("aria-label", label);
  }

  markOwn(price, lots) {
    const dot = price.querySelector(".own-order");
    if (lots === 0n) dot?.remove();
    else if (!dot) price.prepend(el("span", { className: "own-order" }));
    price.title = lots === 0n ? "" : strings.own(`${showLots(this.pair, lots)} ${this.pair.base}`);
  }

  /**
   * @param {import("../data/order-book.js").OrderBook} book
   * @param {{side: "buy"|"sell", ticks: bigint, lots: bigint}[]} ownOrders the trader's open orders in it
   */
  render(book, ownOrders) {
    this.fitPriceColumn(book);
    this.offerSteps(book);
    this.ownLots = new Map();
    for (const order of ownOrders) {
      const side = order.side === "buy" ? "bids" : "asks";
      const key = `${side} ${groupPrice(side, order.ticks, this.step)}`;
      this.ownLots.set(key, (this.ownLots.get(key) ?? 0n) + order.lots);
    }
    const asks = book.rows("asks", this.step, MAX_ROWS);
    const bids = book.rows("bids", this.step, MAX_ROWS);
    const visibleSum = (rows) => rows[Math.min(rows.length, VISIBLE_ROWS) - 1]?.sum ?? 0n;
    this.maxSum = visibleSum(asks) > visibleSum(bids) ? visibleSum(asks) : visibleSum(bids);
    this.showRows(this.asks, asks.reverse());
    this.showRows(this.bids, bids);
    this.showSpread(book);
    this.keepTabStop();
  }

  showRows({ rows, scroll, empty }, levels) {
    rows.show(levels);
    if (levels.length === 0) scroll.append(empty);
    else empty.remove();
  }

  showSpread(book) {
    const spread = book.spread();
    const middle = book.middle();
    if (spread === null) {
      setText(this.spread, "");
      return;
    }
    const percent = middle > 0n ? Number((spread * 2_000_000n) / middle) / 10_000 : 0;
    setText(this.spread, strings.spread(percent.toFixed(2)));
    this.spread.title = strings.spreadTitle(`${showPrice(this.pair, spread)} ${this.pair.quote}`);
  }

  /**
   * Show the last price between the sides.
   * @param {string|null} price decimal text with thousands separators
   * @param {"buy"|"sell"|null} side of its taker
   */
  showLastPrice(price, side) {
    setPrice(this.lastPrice, price);
    this.lastPrice.className = `price ${side ?? ""}`;
  }

  // The price columns of the book and of the recent trades are as wide as the prices are long.
  fitPriceColumn(book) {
    const length = showPrice(this.pair, book.best("asks") ?? book.best("bids") ?? 1n).length;
    const width = `calc(${Math.max(length, 10)}ch + 14px)`;
    if (this.width === width) return;
    this.width = width;
    this.root.parentElement.style.setProperty("--pricewidth", width);
  }

  offerSteps(book) {
    const steps = groupingSteps(book.best("bids") ?? book.best("asks"));
    if (this.grouping.options.length === steps.length) return;
    this.grouping.replaceChildren(...steps.map((step) => el("option", { value: String(step) }, showPrice(this.pair, step))));
    this.grouping.value = String(this.step);
  }

  // One level is in the tab order; the arrow keys move to the others.
  keepTabStop() {
    const levels = this.levelButtons();
    if (levels.some((level) => level.tabIndex === 0)) return;
    const best = this.bids.body.querySelector("button") ?? levels[0];
    if (best) best.tabIndex = 0;
  }

  levelButtons() {
    return [...this.root.querySelectorAll(".levels button")];
  }

  onKey(event) {
    const move = KEY_STEPS[event.key];
    const levels = this.levelButtons();
    const at = levels.indexOf(document.activeElement);
    if (at < 0 || !move) return;
    event.preventDefault();
    const next = levels[Math.max(0, Math.min(levels.length - 1, at + move))];
    levels[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}

// Cumulative amounts are shown without decimals, except below one.
function wholeLots(pair, lots) {
  const [whole] = plainLots(pair, lots).split(".");
  return whole === "0" ? showLots(pair, lots) : grouped(whole);
}
