// Trading screen: reads the pair and the account from the stream and keeps all panels up to date.

import { read, readVenue } from "../data/api.js";
import { LiveAccount } from "../data/live-account.js";
import { OrderBook } from "../data/order-book.js";
import { onAccount } from "../data/session.js";
import { subscribe } from "../data/stream.js";
import { followRules, grouped, lotsOf, market, showPrice, units } from "../lib/amounts.js";
import { byId, el, flash } from "../lib/dom.js";
import { afterPaint, preloadLater, scheduleRender } from "../lib/render.js";
import { mountShell } from "../shell/shell.js";
import { trade as strings } from "../strings/trade.js";
import { storedInterval } from "./intervals.js";
import { OrderBookView } from "./order-book-view.js";
import { PairBar } from "./pair-bar.js";
import { RecentTrades } from "./recent-trades.js";

const RETRY_MS = 5000;
const STATS_MS = 5000;

let reportLoaded = () => {};
mountShell("trade", new Promise((resolve) => { reportLoaded = resolve; }));
start();

async function start() {
  try {
    const venue = await readVenue();
    const pair = pairOfAddress(venue);
    if (pair) {
      removeMessage();
      new Screen(venue, pair);
    } else showMessage(strings.noPair);
  } catch (error) {
    showMessage(`${error.message} ${strings.retrying}`);
    setTimeout(start, RETRY_MS);
  }
}

/** The pair that the address names, else the first active one; null if it is not listed. */
function pairOfAddress(venue) {
  const query = new URLSearchParams(location.search);
  if (query.has("base") || query.has("quote")) return market(venue, query.get("base"), query.get("quote"));
  const first = venue.pairs.find((pair) => pair.status === "active") ?? venue.pairs[0];
  return first ? market(venue, first.base, first.quote) : null;
}

// The message stands in place of the grid, which is kept for the next attempt.
function showMessage(text) {
  removeMessage();
  const note = el("p", { className: "empty" }, text, " ", el("a", { href: "./" }, strings.toMarkets));
  byId("grid").before(el("div", { id: "message", className: "message" }, el("div", { className: "panel" }, note)));
  byId("grid").hidden = true;
}

function removeMessage() {
  document.getElementById("message")?.remove();
  byId("grid").hidden = false;
}

class Screen {
  constructor(venue, pair) {
    this.venue = venue;
    this.pair = pair;
    this.name = `${pair.base}/${pair.quote}`;
    this.book = new OrderBook(pair);
    this.hasBook = false;
    this.block = 0; // the stream's newest one
    this.interval = storedInterval(venue.network === "devnet" ? "1m" : "1h");
    /** @type {LiveAccount|null} */
    this.account = null;
    /** @type {import("./workspace.js").Workspace|null} null until it is loaded */
    this.workspace = null;
    this.pendingLevel = null; // chosen before the workspace was loaded
    document.title = strings.title(this.name);
    const openPicker = () => import("./pair-picker.js").then((picker) => picker.openPairPicker());
    this.pairBar = new PairBar(byId("pair-bar"), pair, openPicker);
    this.bookView = new OrderBookView(byId("book"), pair, {
      onSelect: (level) => this.takeLevel(level),
      onGroup: () => this.renderBook(),
    });
    this.recentTrades = new RecentTrades(byId("trades"), pair);
    this.subscription = subscribe([], (message) => this.onMessage(message));
    onAccount((name) => this.setAccount(name));
    this.readStats();
    afterPaint(() => this.loadWorkspace().finally(reportLoaded));
  }

  async loadWorkspace() {
    preloadLater();
    const { Workspace } = await import("./workspace.js");
    this.workspace = new Workspace(this);
    if (this.pendingLevel) this.workspace.takeLevel(this.pendingLevel);
    scheduleRender(this.render);
    await this.workspace.loaded;
  }

  takeLevel(level) {
    if (this.workspace) this.workspace.takeLevel(level);
    else this.pendingLevel = level;
  }

  // -- data --

  setAccount(name) {
    this.account = name ? new LiveAccount(name) : null;
    this.workspace?.setAccount(this.account);
    this.renderBook();
    this.updateSubscription();
  }

  setInterval(interval) {
    this.interval = interval;
    this.updateSubscription();
  }

  updateSubscription() {
    const topics = ["block", `book:${this.name}`, `trades:${this.name}`, `candles:${this.name}:${this.interval}`];
    if (this.account) topics.push(`account:${this.account.name}`);
    this.subscription.change(topics);
  }

  onMessage({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    const isSnapshot = kind === "snapshot";
    const isFirst = !this.hasBook; // a later snapshot may skip trades
    this.block = data.block;
    const ofPair = (rows) => (rows ?? []).filter((row) => row.base === this.pair.base && row.quote === this.pair.quote);
    for (const book of ofPair(data.books)) {
      if (isSnapshot) this.book.load(book);
      else this.book.change(book);
      this.hasBook = true;
    }
    for (const { trades } of ofPair(data.trades)) {
      if (isSnapshot) this.recentTrades.load(trades);
      else this.recentTrades.add(trades);
      this.areStatsStale ||= !isFirst;
    }
    for (const newest of ofPair(data.candles)) this.workspace?.chart.apply(kind, data.block, newest);
    for (const part of data.accounts ?? []) {
      if (this.account?.apply(kind, part)) this.workspace?.accountPanel.invalidate();
    }
    scheduleRender(this.render);
  }

  /** The order book; null until loaded. */
  openBook() {
    return this.hasBook ? this.book : null;
  }

  /** Available units of a token at the exchange; null if unknown. @param {string} symbol */
  available(symbol) {
    const available = this.account?.available(symbol) ?? null;
    const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
    return available === null ? null : units(available, precision);
  }

  /** The trader's open orders and waiting stops of this pair, as the API gives them. */
  ownRows() {
    const { base, quote } = this.pair;
    return (this.account?.openOrders() ?? []).filter((order) => order.base === base && order.quote === quote);
  }

  /** The trader's orders in the book. */
  ownOrders() {
    const { priceDecimals, basePrecision } = this.pair;
    return this.ownRows()
      .filter((order) => order.status === "open") // a waiting stop is in no book
      .map(({ side, price, remaining }) => ({
        side,
        ticks: units(price, priceDecimals),
        lots: lotsOf(this.pair, units(remaining, basePrecision)),
      }));
  }

  // The 24h statistics come with the list of pairs, which is read after trades, every five seconds at most.
  async readStats() {
    if (this.isReadingStats) return;
    this.isReadingStats = true;
    this.areStatsStale = false;
    try {
      const { pairs } = await read("pairs");
      const row = pairs.find((pair) => pair.base === this.pair.base && pair.quote === this.pair.quote);
      if (row) this.pairBar.show(row);
      if (row && followRules(this.venue, this.pair, row)) this.workspace?.ticket.refresh();
    } catch {
      this.areStatsStale = true; // the API does not answer: try again
    }
    setTimeout(() => {
      this.isReadingStats = false;
      if (this.areStatsStale) this.readStats();
    }, STATS_MS);
  }

  // -- display --

  render = () => {
    if (!this.hasBook) return;
    const last = this.recentTrades.trades[0];
    if (last) {
      const price = grouped(last.price);
      if (this.pairBar.showLastPrice(price, last.taker_side)) flash(this.pairBar.lastPrice);
      this.bookView.showLastPrice(price, last.taker_side);
      document.title = strings.titleWithPrice(price, this.name);
    }
    this.renderBook();
    this.recentTrades.render();
    this.workspace?.render();
    if (this.areStatsStale) this.readStats();
  };

  renderBook() {
    if (!this.hasBook) return;
    this.bookView.render(this.book, this.ownOrders());
    this.workspace?.chart.showBook(this.book);
    this.workspace?.chart.showOrders(this.ownRows());
    const spread = this.book.spread();
    this.pairBar.showSpread(spread === null ? null : showPrice(this.pair, spread));
  }
}
