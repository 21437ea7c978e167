// The trading screen: reads the pair and the account, keeps every panel true, and hands drafts to the wallet.

import { AccountData } from "./accountdata.js";
import { grouped, lotsOf, market, showPrice, units } from "./amounts.js";
import { read, readVenue } from "./api.js";
import { Book } from "./book.js";
import { BookView } from "./bookview.js";
import { byId, flash, make } from "./dom.js";
import { chosenInterval } from "./intervals.js";
import { PairBar } from "./pairbar.js";
import { afterPaint, paint } from "./paint.js";
import { onAccount } from "./session.js";
import { shell } from "./shell.js";
import { subscribe } from "./stream.js";
import { trade as words } from "./strings.js";
import { Tape } from "./tape.js";

const SYMBOL = /^[A-Z]{1,10}(\.[A-Z]{1,10})?$/;
const FIGURES_MS = 5000;

shell("trade");
start();

async function start() {
  try {
    const venue = await readVenue();
    const pair = wanted(venue);
    if (pair) {
      accept();
      new Screen(venue, pair);
    } else refuse(words.noPair);
  } catch (error) {
    refuse(error.message);
    setTimeout(start, FIGURES_MS);
  }
}

/** The pair of the address; the first one that is traded where none is named. */
function wanted(venue) {
  const query = new URLSearchParams(location.search);
  const base = query.get("base");
  const quote = query.get("quote");
  if (base === null && quote === null) {
    const first = venue.pairs.find((pair) => pair.status === "active") ?? venue.pairs[0];
    return first ? market(venue, first.base, first.quote) : null;
  }
  if (!SYMBOL.test(base ?? "") || !SYMBOL.test(quote ?? "")) return null;
  return market(venue, base, quote);
}

// In the place of the grid, which stays for the next try.
function refuse(reason) {
  accept();
  const link = make("a", { href: "./" }, words.toMarkets);
  const panel = make("div", { className: "panel" }, make("p", { className: "empty" }, reason, " ", link));
  byId("grid").before(make("div", { id: "refused", className: "grid refused" }, panel));
  byId("grid").hidden = true;
}

function accept() {
  document.getElementById("refused")?.remove();
  byId("grid").hidden = false;
}

class Screen {
  constructor(venue, pair) {
    this.venue = venue;
    this.pair = pair;
    this.book = new Book(pair);
    this.interval = chosenInterval(venue.network === "devnet" ? "1m" : "1h");
    this.known = false; // whether the book has come
    /** @type {AccountData|null} */
    this.account = null;
    /** @type {import("./desk.js").Desk|null} */
    this.desk = null;
    this.taken = null; // the level that was chosen before the ticket had come
    document.title = words.title(`${pair.base}/${pair.quote}`);
    this.bar = new PairBar(byId("pairbar"), pair, () => import("./picker.js").then((picker) => picker.openPicker()));
    this.bookView = new BookView(byId("book"), pair, (level) => this.take(level));
    this.bookView.onGroup = () => this.drawBook();
    this.tape = new Tape(byId("tape"), pair);
    this.subscription = subscribe([], (message) => this.hear(message));
    onAccount((name) => this.choose(name));
    this.readFigures();
    afterPaint(() => this.later());
  }

  // What may come after the first paint: the ticket, the trader's own tables, the chart.
  async later() {
    const { Desk } = await import("./desk.js");
    this.desk = new Desk(this);
    if (this.taken) this.desk.take(this.taken);
    paint(this.draw);
  }

  take(level) {
    if (this.desk) this.desk.take(level);
    else this.taken = level;
  }

  // -- data --

  choose(name) {
    this.account = name ? new AccountData(name) : null;
    this.desk?.choose(this.account);
    this.drawBook();
    this.listen();
  }

  look(interval) {
    this.interval = interval;
    this.listen();
  }

  listen() {
    const name = `${this.pair.base}/${this.pair.quote}`;
    const topics = ["block", `book:${name}`, `trades:${name}`, `candles:${name}:${this.interval}`];
    if (this.account) topics.push(`account:${this.account.name}`);
    this.subscription.change(topics);
  }

  hear({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    const whole = kind === "snapshot";
    const ours = (row) => row.base === this.pair.base && row.quote === this.pair.quote;
    for (const book of (data.books ?? []).filter(ours)) {
      if (whole) this.book.load(book);
      else this.book.change(book);
      this.known = true;
    }
    for (const { trades } of (data.trades ?? []).filter(ours)) {
      if (whole) this.tape.load(trades);
      else this.tape.add(trades);
      if (!whole) this.figuresAreOld = true;
    }
    for (const row of (data.candles ?? []).filter(ours)) this.desk?.chart.update(row.interval, row.candle);
    for (const part of data.accounts ?? []) {
      if (part.user !== this.account?.name) continue;
      if (whole) this.account.load(part);
      else this.account.change(part);
      this.desk?.own.dirty();
    }
    paint(this.draw);
  }

  available(symbol) {
    if (!this.account?.balances) return null;
    const precision = this.venue.tokens.find((token) => token.symbol === symbol).precision;
    return units(this.account.balances.get(symbol)?.available ?? "0", precision);
  }

  ownHere() {
    const here = (this.account?.open() ?? []).filter(
      (order) => order.base === this.pair.base && order.quote === this.pair.quote && order.price !== null,
    );
    return here.map((order) => ({
      side: order.side,
      ticks: units(order.price, this.pair.priceDecimals),
      lots: lotsOf(this.pair, units(order.remaining, this.pair.basePrecision)),
    }));
  }

  // -- drawing --

  draw = () => {
    if (!this.known) return;
    const last = this.tape.trades[0];
    if (last) {
      if (this.bar.showLast(grouped(last.price), last.taker_side)) flash(this.bar.last);
      this.bookView.showLast(grouped(last.price), last.taker_side);
      document.title = words.titleWithPrice(grouped(last.price), `${this.pair.base}/${this.pair.quote}`);
    }
    this.drawBook();
    this.tape.show();
    this.desk?.show();
    if (this.figuresAreOld) this.readFigures();
  };

  drawBook() {
    if (!this.known) return;
    const own = this.ownHere();
    this.bookView.show(this.book, own);
    this.desk?.chart.showBook(this.book, own);
    const spread = this.book.spread();
    this.bar.showSpread(spread === null ? null : showPrice(this.pair, spread));
  }

  // The figures of 24 hours come with the list of pairs: asked for after trades, every five seconds at most.
  async readFigures() {
    if (this.reading) return;
    this.reading = true;
    this.figuresAreOld = false;
    try {
      const { pairs } = await read("pairs");
      const row = pairs.find((pair) => pair.base === this.pair.base && pair.quote === this.pair.quote);
      if (row) this.bar.show(row);
      if (row && row.status !== this.pair.status) {
        this.pair.status = row.status;
        this.desk?.ticket.refresh();
      }
    } catch {
      this.figuresAreOld = true;
    }
    setTimeout(() => {
      this.reading = false;
      if (this.figuresAreOld) this.readFigures();
    }, FIGURES_MS);
  }
}
