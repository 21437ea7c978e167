// The order ticket: what the trader types, what it would do now, and the draft that is signed. All arithmetic is
// in whole ticks, lots and units; the screen shows what is signed, digit for digit.

import {
  baseUnits,
  brief,
  fee,
  lotsOf,
  mostLots,
  parse,
  plainLots,
  plainPrice,
  plainQuote,
  share,
  show,
  showBase,
  showLots,
  showPrice,
  showQuote,
  total,
  worstPrice,
} from "./amounts.js";
import { make, write } from "./dom.js";
import { estimate } from "./estimate.js";
import { IntentError, limitOrder, marketOrder, oneSignature } from "./intents.js";
import { ticket as words } from "./strings.js";

const DEFAULT_WORST_BPS = 100;
const LIFETIMES = [3600, 86_400, 604_800];
const SHARES = [25, 50, 75, 100];

/** @typedef {{pair: import("./amounts.js").Market, venue: any, book: () => import("./book.js").Book|null,
 *   account: () => string|null, available: (symbol: string) => bigint|null, marketOff: () => string}} Surroundings */

export class Ticket {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {Surroundings} around
   * @param {{review: (draft: import("./intents.js").Draft, rests: boolean) => void, choose: () => void}} actions
   *   `rests`: it would not trade at once
   */
  constructor(root, around, actions) {
    this.around = around;
    this.actions = actions;
    this.pair = around.pair;
    this.side = "buy";
    this.type = "limit";
    this.edited = "amount"; // what the trader typed last: the other one follows from it
    this.build(root);
    this.refresh();
  }

  // -- the form --

  build(root) {
    const { base, quote } = this.pair;
    this.buttons = {
      buy: this.press("isbuy", words.buy, () => this.turn("buy")),
      sell: this.press("issell", words.sell, () => this.turn("sell")),
    };
    this.types = {
      limit: this.press("", words.limit, () => this.kind("limit")),
      market: this.press("", words.market, () => this.kind("market")),
    };
    this.price = this.field("price", words.price, quote, this.quickPrices());
    this.amount = this.field("amount", words.amount, base);
    this.total = this.field("total", words.total, quote);
    this.totalLabel = this.total.row.querySelector("label");
    this.worst = this.field("worst", words.worst, "%");
    this.worst.input.value = "1";
    this.worstPrice = make("span", {});
    this.worst.row.append(this.worstPrice);
    this.balance = make("span");
    this.deposit = make("a", { href: "transfer.html" }, words.deposit);
    this.shares = make(
      "div",
      { className: "chips", role: "group", "aria-label": words.shares },
      ...SHARES.map((percent) =>
        make(
          "button",
          { type: "button", onclick: () => this.take(percent) },
          percent === 100 ? words.max : `${percent} %`,
        ),
      ),
    );
    this.dry = make("dl", { className: "dry", "aria-label": words.dry });
    this.submit = make("button", { type: "submit", className: "button main wide" });
    this.note = make("p", { className: "note", "aria-live": "polite" });
    this.form = make(
      "form",
      { className: "form", novalidate: true, autocomplete: "off", onsubmit: (event) => this.send(event) },
      make("div", { className: "sides", role: "group", "aria-label": words.side }, this.buttons.buy, this.buttons.sell),
      make(
        "div",
        { className: "segments", role: "group", "aria-label": words.type },
        this.types.limit,
        this.types.market,
      ),
      make(
        "p",
        { className: "labelrow" },
        make("span", {}, words.available),
        make("span", {}, this.balance, " ", this.deposit),
      ),
      this.price.node,
      this.amount.node,
      this.shares,
      this.total.node,
      this.worst.node,
      this.more(),
      this.dry,
      this.submit,
      this.note,
    );
    root.replaceChildren(make("h2", { id: "ticket-title", className: "unseen" }, words.title), this.form);
  }

  press(className, text, run) {
    return make("button", { type: "button", className, "aria-pressed": "false", onclick: run }, text);
  }

  field(name, label, unit, beside) {
    const id = `ticket-${name}`;
    const hint = make("p", { className: "hint bad", id: `${id}-hint`, hidden: true });
    const input = make("input", {
      className: "number",
      id,
      inputmode: "decimal",
      spellcheck: "false",
      placeholder: "0",
      "aria-describedby": `${id}-hint`,
      oninput: () => this.typed(name),
    });
    const row = make("div", { className: "labelrow" }, make("label", { htmlFor: id }, label), beside);
    const node = make(
      "div",
      { className: "field" },
      row,
      make("div", { className: "input" }, input, make("span", { className: "unit" }, unit)),
      hint,
    );
    return { node, input, hint, row };
  }

  quickPrices() {
    const quick = (text, title, pick) =>
      make("button", { type: "button", title, onclick: () => this.quote(pick(this.around.book())) }, text);
    return make(
      "span",
      { className: "quick" },
      quick(words.bid, words.bidTitle, (book) => book?.best("bids")),
      " ",
      quick(words.mid, words.midTitle, (book) => (book?.middle() ? book.middle() / 2n : null)),
      " ",
      quick(words.ask, words.askTitle, (book) => book?.best("asks")),
    );
  }

  more() {
    const option = (value, text) => make("option", { value }, text);
    const changed = () => this.refresh();
    this.force = make(
      "select",
      { id: "ticket-force", onchange: changed },
      option("GTC", words.force.GTC),
      option("IOC", words.force.IOC),
      option("FOK", words.force.FOK),
    );
    this.life = make(
      "select",
      { id: "ticket-life", onchange: changed },
      ...LIFETIMES.filter((seconds) => seconds < this.around.venue.order_lifetime).map((seconds) =>
        option(String(seconds), words.life(seconds)),
      ),
      option("", words.life(this.around.venue.order_lifetime)),
    );
    this.life.value = "";
    this.postOnly = make("input", { type: "checkbox", id: "ticket-post", onchange: changed });
    this.wallet = make("input", {
      type: "checkbox",
      id: "ticket-wallet",
      onchange: changed,
      "aria-describedby": "ticket-wallet-hint",
    });
    this.limitOnly = make(
      "div",
      { className: "inner" },
      make(
        "div",
        { className: "pairrow" },
        make("div", { className: "field" }, make("label", { htmlFor: "ticket-force" }, words.inForce), this.force),
        make("div", { className: "field" }, make("label", { htmlFor: "ticket-life" }, words.expires), this.life),
      ),
      make("div", { className: "check" }, this.postOnly, make("label", { htmlFor: "ticket-post" }, words.postOnly)),
    );
    this.walletHint = make("span", { className: "note", id: "ticket-wallet-hint" });
    const wallet = make(
      "div",
      { className: "check" },
      this.wallet,
      make("span", {}, make("label", { htmlFor: "ticket-wallet" }, words.wallet), make("br"), this.walletHint),
    );
    return make(
      "details",
      { className: "more" },
      make("summary", {}, words.options),
      make("div", { className: "inner" }, this.limitOnly, wallet),
    );
  }

  // -- what the trader does --

  /** @param {"buy"|"sell"} side */
  turn(side) {
    this.side = side;
    this.refresh();
  }

  kind(type) {
    this.type = type;
    if (type === "market") this.edited = this.side === "buy" ? "total" : "amount";
    this.refresh();
  }

  typed(name) {
    if (name === "amount" || name === "total") this.edited = name;
    this.refresh();
  }

  /**
   * Put a price in.
   * @param {bigint|null|undefined} ticks
   */
  quote(ticks) {
    if (ticks === null || ticks === undefined) return;
    this.price.input.value = plainPrice(this.pair, ticks);
    this.refresh();
  }

  /**
   * A level of the book was chosen: trade with it.
   * @param {{side: "bids"|"asks", ticks: bigint, lots: bigint}} level `lots` up to it
   */
  fill({ side, ticks, lots }) {
    this.side = side === "asks" ? "buy" : "sell";
    this.type = "limit";
    this.price.input.value = plainPrice(this.pair, ticks);
    this.amount.input.value = brief(plainLots(this.pair, lots));
    this.edited = "amount";
    this.refresh();
  }

  /** A part of what is available. */
  take(percent) {
    const have = this.have();
    if (have === null) return;
    const part = share(have, percent);
    if (this.side === "sell") {
      this.amount.input.value = plainLots(this.pair, lotsOf(this.pair, part));
      this.edited = "amount";
    } else if (this.type === "market") {
      this.total.input.value = plainQuote(this.pair, part);
      this.edited = "total";
    } else {
      const ticks = this.read(this.price, this.pair.priceDecimals).units;
      if (!ticks) {
        this.price.input.focus();
        this.complain(this.price, words.priceFirst);
        return;
      }
      this.amount.input.value = plainLots(this.pair, mostLots(this.pair, part, ticks));
      this.edited = "amount";
    }
    this.refresh();
  }

  clear() {
    this.amount.input.value = "";
    this.total.input.value = "";
    this.refresh();
  }

  focus() {
    (this.type === "limit" && !this.price.input.value
      ? this.price
      : this.isBudget()
        ? this.total
        : this.amount
    ).input.focus();
  }

  // -- what follows from it --

  isBudget() {
    return this.type === "market" && this.side === "buy";
  }

  gives() {
    return this.side === "buy" ? this.pair.quote : this.pair.base;
  }

  have() {
    return this.wallet.checked ? null : this.around.available(this.gives());
  }

  read(field, decimals) {
    const result = parse(field.input.value, decimals);
    return result.units === 0n ? { problem: words.zero } : result;
  }

  /** Read all inputs: the order, or what is missing and wrong. */
  order() {
    const { pair, side, type } = this;
    const order = { side, type, base: pair.base, quote: pair.quote, wrong: [], ticks: null, lots: null, budget: null };
    const take = (field, decimals) => {
      const { units, problem, empty } = this.read(field, decimals);
      if (problem && !empty) order.wrong.push([field, problem]);
      return units ?? null;
    };
    if (type === "limit") order.ticks = take(this.price, pair.priceDecimals);
    if (this.isBudget()) order.budget = take(this.total, pair.quotePrecision);
    else if (type === "limit" && this.edited === "total") {
      const spend = take(this.total, pair.quotePrecision);
      if (spend !== null && order.ticks !== null) {
        order.lots = mostLots(pair, spend, order.ticks);
        if (order.lots === 0n)
          order.wrong.push([this.total, words.lessThanLot(showQuote(pair, total(pair, order.ticks, 1n)), pair.quote)]);
      }
    } else order.lots = take(this.amount, pair.quantityDecimals);
    if (type === "market") this.worstOf(order);
    return order;
  }

  worstOf(order) {
    const { units: bps, problem } = parse(this.worst.input.value, 2);
    if (bps === undefined || bps > 5000n) order.wrong.push([this.worst, problem || words.worstRange]);
    const best = this.around.book()?.best(this.side === "buy" ? "asks" : "bids") ?? null;
    order.ticks = best === null ? null : worstPrice(this.side, best, Number(bps ?? BigInt(DEFAULT_WORST_BPS)));
  }

  /** Bring everything on the ticket up to date. */
  refresh() {
    const { side, type, pair } = this;
    for (const [name, button] of Object.entries(this.buttons))
      button.setAttribute("aria-pressed", String(name === side));
    for (const [name, button] of Object.entries(this.types)) button.setAttribute("aria-pressed", String(name === type));
    this.price.node.hidden = type === "market";
    this.amount.node.hidden = this.isBudget();
    this.total.node.hidden = type === "market" && side === "sell";
    this.worst.node.hidden = type === "limit";
    write(this.totalLabel, this.isBudget() ? words.spend : words.total);
    const first = this.isBudget() ? this.total.node : this.shares; // the parts stand below what they fill in
    if (this.amount.node.nextSibling !== first)
      this.amount.node.after(...(this.isBudget() ? [this.total.node, this.shares] : [this.shares, this.total.node]));
    this.limitOnly.hidden = type === "market";
    this.offerWallet();
    const order = this.order();
    if (type === "limit") this.follow(order);
    for (const field of [this.price, this.amount, this.total, this.worst]) this.complain(field, "");
    for (const [field, problem] of order.wrong) this.complain(field, problem);
    write(
      this.worstPrice,
      type === "market" && order.ticks !== null ? `${words.atWorst} ${showPrice(pair, order.ticks)}` : "",
    );
    this.showBalance();
    this.showDry(order);
    this.showButton(order);
    return order;
  }

  // Amount and total follow each other through the price.
  follow(order) {
    if (order.ticks === null || order.lots === null) return;
    if (this.edited === "amount")
      this.total.input.value = brief(plainQuote(this.pair, total(this.pair, order.ticks, order.lots)));
    else this.amount.input.value = plainLots(this.pair, order.lots);
  }

  complain(field, problem) {
    field.hint.hidden = !problem;
    write(field.hint, problem);
    field.node.classList.toggle("wrong", Boolean(problem));
    field.input.toggleAttribute("aria-invalid", Boolean(problem));
  }

  offerWallet() {
    const token = this.around.venue.tokens.find((row) => row.symbol === this.gives());
    const possible = token?.chain === "hive-engine";
    this.wallet.disabled = !possible;
    if (!possible) this.wallet.checked = false;
    write(this.walletHint, possible ? words.walletHint : words.walletCoin(this.gives()));
  }

  showBalance() {
    const have = this.have();
    const precision = this.side === "buy" ? this.pair.quotePrecision : this.pair.basePrecision;
    write(
      this.balance,
      this.wallet.checked
        ? words.fromWallet
        : have === null
          ? words.noAccount
          : `${show(have, precision)} ${this.gives()}`,
    );
    this.deposit.hidden = have === null;
    this.deposit.href = `transfer.html?symbol=${encodeURIComponent(this.gives())}`;
    for (const button of this.shares.children) button.disabled = have === null || have === 0n;
  }

  estimate(order) {
    const book = this.around.book();
    if (!book || (order.lots === null && order.budget === null) || (order.type === "limit" && order.ticks === null))
      return null;
    const against = book.levels(order.side === "buy" ? "asks" : "bids");
    return estimate(
      this.pair,
      {
        side: order.side,
        ticks: order.ticks,
        ...(order.budget === null ? { lots: order.lots } : { budget: order.budget }),
      },
      against,
    );
  }

  showDry(order) {
    const dry = this.estimate(order);
    const lines = dry
      ? this.dryLines(order, dry)
      : [
          [words.fills, "–"],
          [words.average, "–"],
          [words.fee, "–"],
          [words.least, "–"],
          [words.open, "–"],
        ];
    this.dry.replaceChildren(
      ...lines.flatMap(([name, value, strong]) => [
        make("dt", {}, name),
        make("dd", { className: strong ? "strong" : "" }, value),
      ]),
    );
  }

  dryLines(order, dry) {
    const { pair, side } = this;
    const gets = (units) =>
      side === "buy"
        ? `${brief(showBase(pair, units))} ${pair.base}`
        : `${brief(showQuote(pair, units))} ${pair.quote}`;
    const percent = `${(pair.takerFeeBps / 100).toString()} %`;
    return [
      [words.fills, dry.crosses ? `${showLots(pair, dry.lots)} ${pair.base}` : words.nothing],
      [words.average, dry.average === null ? "–" : `${dry.average} ${pair.quote}`],
      [`${words.fee} (${percent})`, dry.crosses ? gets(dry.fee) : "–"],
      [words.least, `${gets(this.least(order, dry))}`, true],
      this.left(order, dry),
    ];
  }

  // What the order brings at its limit or worst price, once it is filled whole: no fill can bring less.
  least(order, dry) {
    const { pair, side } = this;
    if (this.type === "market") {
      if (order.ticks === null) return dry.received;
      const lots = side === "buy" ? mostLots(pair, order.budget, order.ticks) : dry.lots;
      const gross =
        side === "buy" ? baseUnits(pair, lots < dry.lots ? lots : dry.lots) : total(pair, order.ticks, lots);
      return gross - fee(gross, pair.takerFeeBps);
    }
    const gross = side === "buy" ? baseUnits(pair, order.lots) : total(pair, order.ticks, order.lots);
    return gross - fee(gross, Math.max(pair.takerFeeBps, pair.makerFeeBps));
  }

  left(order, dry) {
    const { pair } = this;
    if (this.isBudget()) return [words.unspent, `${brief(showQuote(pair, dry.restBudget))} ${pair.quote}`];
    const rest = `${showLots(pair, dry.restLots)} ${pair.base}`;
    const stays = this.type === "limit" && this.force.value === "GTC";
    return [stays ? words.open : words.undone, dry.restLots === 0n ? words.none : rest];
  }

  // What keeps the order from being signed, if anything: the reason stands under the button.
  obstacle(order) {
    if (this.pair.status !== "active") return words.status(this.pair.status);
    if (this.type === "market" && this.around.marketOff()) return this.around.marketOff();
    if (this.type === "market" && order.ticks === null) return words.noBook;
    const need =
      order.budget ??
      (order.lots === null || order.ticks === null
        ? this.side === "sell" && order.lots !== null
          ? baseUnits(this.pair, order.lots)
          : null
        : this.side === "buy"
          ? total(this.pair, order.ticks, order.lots)
          : baseUnits(this.pair, order.lots));
    const have = this.have();
    if (need !== null && have !== null && need > have) return words.short(this.gives());
    const dry = this.estimate(order);
    if (dry && this.type === "limit" && this.postOnly.checked && dry.crosses) return words.wouldTake;
    if (dry && this.type === "limit" && this.force.value === "FOK" && !dry.complete) return words.notWhole;
    if (dry && !dry.crosses && (this.type === "market" || this.force.value === "IOC")) return words.fillsNothing;
    return "";
  }

  showButton(order) {
    const named = this.around.account();
    const reason = this.obstacle(order);
    this.submit.className = `button main wide is${this.side}`;
    write(this.submit, named ? words.submit(this.side, this.pair.base) : words.chooseAccount);
    this.submit.disabled = named ? Boolean(reason) : false;
    write(this.note, reason);
  }

  // -- the draft --

  send(event) {
    event.preventDefault();
    if (!this.around.account()) {
      this.actions.choose();
      return;
    }
    const order = this.refresh();
    const first = order.wrong[0]?.[0] ?? this.missing(order);
    if (first) {
      if (first.hint.hidden) this.complain(first, words.missing);
      first.input.focus();
      return;
    }
    if (this.obstacle(order)) return;
    try {
      const dry = this.estimate(order);
      this.actions.review(this.draft(order), this.type === "limit" && !dry?.crosses);
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      write(this.note, error.message);
    }
  }

  missing(order) {
    if (this.type === "limit" && order.ticks === null) return this.price;
    if (this.isBudget()) return order.budget === null ? this.total : null;
    return order.lots === null ? this.amount : null;
  }

  draft(order) {
    const { venue } = this.around;
    const account = this.around.account();
    const { side, base, quote } = order;
    const isMarket = this.type === "market";
    const intent = isMarket
      ? {
          market: true,
          side,
          base,
          quote,
          worst: order.ticks,
          ...(order.budget === null ? { lots: order.lots } : { budget: order.budget }),
        }
      : {
          side,
          base,
          quote,
          lots: order.lots,
          ticks: order.ticks,
          timeInForce: this.force.value,
          postOnly: this.postOnly.checked,
          ...(this.life.value ? { expiration: Number(this.life.value) } : {}),
        };
    if (this.wallet.checked) return oneSignature(venue, account, intent);
    return isMarket ? marketOrder(venue, account, intent) : limitOrder(venue, account, intent);
  }
}
