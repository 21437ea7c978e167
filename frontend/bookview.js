// The book on the screen: asks above, bids below, best prices in the middle; bars for the sums, dots for one's own.

import { plainLots, showLots, showPrice } from "./amounts.js";
import { steps } from "./book.js";
import { bones, make, write } from "./dom.js";
import { NONE, writePrice } from "./figures.js";
import { Rows } from "./rows.js";
import { bookView as words } from "./strings.js";

const MOST_ROWS = 40;
const BONES = 9;

export class BookView {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("./amounts.js").Market} pair
   * @param {(level: {side: "bids"|"asks", ticks: bigint, lots: bigint}) => void} take a level was chosen
   */
  constructor(root, pair, take) {
    this.pair = pair;
    this.take = take;
    this.step = 1n;
    this.book = null;
    this.own = new Map();
    this.grouping = make("select", {
      "aria-label": words.grouping,
      title: words.grouping,
      onchange: () => this.group(),
    });
    this.asks = this.side("asks");
    this.bids = this.side("bids");
    this.last = make("span", { className: "price" }, NONE);
    this.gap = make("span", { className: "small muted" });
    const heads = make(
      "div",
      { className: "colheads", "aria-hidden": "true" },
      make("span", {}, words.price(pair.quote)),
      make("span", {}, words.amount(pair.base)),
      make("span", {}, words.sum),
    );
    root.replaceChildren(
      make(
        "header",
        {},
        make("h2", { id: "book-title" }, words.title),
        make("span", { className: "room" }),
        this.grouping,
      ),
      heads,
      this.asks.scroll,
      make("div", { className: "spreadrow" }, this.last, this.gap),
      this.bids.scroll,
    );
    root.addEventListener("keydown", (event) => this.key(event));
    this.root = root;
  }

  side(name) {
    const columns = [words.price(this.pair.quote), words.amount(this.pair.base), words.sum];
    const body = make("tbody");
    const table = make(
      "table",
      { className: "levels" },
      make("caption", { className: "unseen" }, words.caption[name]),
      make("colgroup", {}, make("col", { className: "prices" }), make("col"), make("col")),
      make(
        "thead",
        { className: "unseen" },
        make("tr", {}, ...columns.map((text) => make("th", { scope: "col" }, text))),
      ),
      body,
    );
    const scroll = make("div", { className: `side ${name}` }, table);
    bones(body, BONES, 3);
    const rows = new Rows(
      body,
      (row) => String(row.ticks),
      (row) => this.build(name, row),
      (node, row) => this.update(name, node, row),
    );
    return { scroll, rows, body };
  }

  build(side, row) {
    const button = make("button", { type: "button", tabIndex: -1, className: side === "asks" ? "sell" : "buy" });
    button.append(make("span"));
    const node = make(
      "tr",
      { onclick: () => this.take({ side, ticks: node.level.ticks, lots: node.level.sum }) },
      make("td", {}, button),
      make("td"),
      make("td", { className: "muted" }),
    );
    node.level = row;
    return node;
  }

  update(side, node, row) {
    const [first, amount, sum] = node.children;
    const button = first.firstChild;
    const changed = node.level.lots !== row.lots;
    node.level = row;
    writePrice(button.lastChild, showPrice(this.pair, row.ticks));
    write(amount, showLots(this.pair, row.lots));
    write(sum, wholeLots(this.pair, row.sum));
    if (changed) mark(amount);
    const depth = this.deepest === 0n ? 0 : Number((row.sum * 1000n) / this.deepest) / 10;
    node.style.setProperty("--depth", `${Math.min(100, depth)}%`);
    this.own_(side, button, row);
    const unit = `${amount.textContent} ${this.pair.base}`;
    button.setAttribute("aria-label", words.level(side, `${showPrice(this.pair, row.ticks)} ${this.pair.quote}`, unit));
  }

  own_(side, button, row) {
    const lots = this.own.get(`${side} ${row.ticks}`) ?? 0n;
    const dot = button.querySelector(".mine");
    if (lots === 0n) dot?.remove();
    else if (!dot) button.prepend(make("span", { className: "mine" }));
    button.title = lots === 0n ? "" : words.mine(`${showLots(this.pair, lots)} ${this.pair.base}`);
  }

  /**
   * Draw the book.
   * @param {import("./book.js").Book} book
   * @param {{side: "buy"|"sell", ticks: bigint, lots: bigint}[]} own the trader's open orders in it
   */
  show(book, own) {
    this.book = book;
    this.fitPrices();
    this.offerSteps();
    this.own = new Map();
    for (const order of own) {
      const side = order.side === "buy" ? "bids" : "asks";
      const ticks =
        side === "asks"
          ? ((order.ticks + this.step - 1n) / this.step) * this.step
          : (order.ticks / this.step) * this.step;
      const key = `${side} ${ticks}`;
      this.own.set(key, (this.own.get(key) ?? 0n) + order.lots);
    }
    const asks = book.rows("asks", this.step, MOST_ROWS);
    const bids = book.rows("bids", this.step, MOST_ROWS);
    const visible = (rows) => rows[Math.min(rows.length, 16) - 1]?.sum ?? 0n;
    this.deepest = visible(asks) > visible(bids) ? visible(asks) : visible(bids);
    this.asks.rows.show(asks.reverse());
    this.bids.rows.show(bids);
    this.empty(this.asks, asks.length, words.noAsks);
    this.empty(this.bids, bids.length, words.noBids);
    this.showGap();
    this.stop();
  }

  empty(side, rows, text) {
    side.note ??= make("p", { className: "empty small" }, text);
    if (rows === 0) side.scroll.append(side.note);
    else side.note.remove();
  }

  showGap() {
    const spread = this.book.spread();
    const middle = this.book.middle();
    if (spread === null) {
      write(this.gap, "");
      return;
    }
    const percent = middle > 0n ? Number((spread * 2_000_000n) / middle) / 10_000 : 0;
    write(this.gap, words.spread(percent.toFixed(2)));
    this.gap.title = words.spreadTitle(`${showPrice(this.pair, spread)} ${this.pair.quote}`);
  }

  /**
   * The last price in the middle.
   * @param {string|null} price separated decimal text
   * @param {"buy"|"sell"|null} side of its taker
   */
  showLast(price, side) {
    writePrice(this.last, price);
    this.last.className = `price ${side ?? ""}`;
  }

  // The columns of prices are as wide as the prices are long.
  fitPrices() {
    const longest = showPrice(this.pair, this.book.best("asks") ?? this.book.best("bids") ?? 1n).length;
    const width = `calc(${Math.max(longest, 12)}ch + 14px)`;
    if (this.width === width) return;
    this.width = width;
    this.root.parentElement.style.setProperty("--pricewidth", width);
  }

  offerSteps() {
    const offered = steps(this.book.best("bids") ?? this.book.best("asks"));
    if (this.grouping.options.length === offered.length) return;
    this.grouping.replaceChildren(
      ...offered.map((step) => make("option", { value: String(step) }, showPrice(this.pair, step))),
    );
    this.grouping.value = String(this.step);
  }

  group() {
    this.step = BigInt(this.grouping.value);
    this.onGroup?.();
  }

  // One level takes part in the tab order: the arrows go through the others.
  stop() {
    const levels = this.levels();
    if (levels.some((level) => level.tabIndex === 0)) return;
    const best = this.bids.body.querySelector("button") ?? levels[0];
    if (best) best.tabIndex = 0;
  }

  levels() {
    return [...this.root.querySelectorAll(".levels button")];
  }

  key(event) {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const levels = this.levels();
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

// A sum is for the eye: its decimals are left out.
function wholeLots(pair, lots) {
  const [whole] = plainLots(pair, lots).split(".");
  return whole === "0" ? showLots(pair, lots) : whole.replace(/\B(?=(\d{3})+$)/g, ",");
}

function mark(cell) {
  cell.classList.remove("flash");
  requestAnimationFrame(() => cell.classList.add("flash"));
}
