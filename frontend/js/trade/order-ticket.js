// Order ticket: reads the input, says what the order will do and why it cannot be placed, and builds the draft to sign.
// All arithmetic is in whole ticks, lots and units, so the screen shows exactly what is signed.

import { readMarks } from "../data/marks.js";
import {
  lotsOf, mostLots, plainLots, plainPrice, plainQuote, share, show, showPrice, total, trimmed,
} from "../lib/amounts.js";
import { el, setText } from "../lib/dom.js";
import { estimate, minimumReceived } from "../lib/estimate.js";
import { NONE } from "../lib/format.js";
import { amounts as inputStrings } from "../strings/common.js";
import { ticket as strings } from "../strings/ticket.js";
import { ORDER_TYPES } from "./order-types.js";
import { readField, readOrder } from "./read-order.js";
import { obstacle, warnings } from "../account/order-checks.js";
import { figures } from "./ticket-figures.js";
import { buildTicketForm } from "./ticket-form.js";
import { showFields, showOptions, showStop } from "./ticket-view.js";
import { WalletFunds } from "./wallet-funds.js";

// In percent. A market that moves fast enough to trigger a stop moves on.
const DEFAULT_SLIPPAGE = { market: "1", stop: "5" };

/**
 * What the ticket needs to know. `available`: units of a token at the exchange, null if unknown. `ownOrders`: the
 * trader's in the book of the pair. `openCount`: of all open orders and stops, null if unknown. `marketDisabled`: why
 * market orders are disabled, else "".
 * @typedef {{pair: import("../lib/amounts.js").Market, venue: any,
 *   book: () => import("../data/order-book.js").OrderBook|null, account: () => string|null,
 *   available: (symbol: string) => bigint|null, ownOrders: () => {side: "buy"|"sell", ticks: bigint, lots: bigint}[],
 *   openCount: () => number|null, marketDisabled: () => string}} Context
 */

export class OrderTicket {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {Context} context
   * @param {{review: (draft: import("../wallet/intents.js").Draft, rests: boolean) => void, chooseAccount: () => void}} actions
   *   `rests`: the order would not execute immediately
   */
  constructor(root, context, actions) {
    this.context = context;
    this.actions = actions;
    this.pair = context.pair;
    this.side = "buy";
    /** @type {import("./order-types.js").OrderType} */
    this.type = "limit";
    this.edited = "amount"; // the field typed last: the other one follows from it
    this.slippages = { ...DEFAULT_SLIPPAGE };
    /** @type {import("../data/marks.js").Mark|null|undefined} null: there is none; undefined: not loaded */
    this.mark = undefined;
    this.isMarkMissing = false;
    /** @type {{field: import("../lib/widgets.js").Field, problem: string}|null} what was left empty, until it is filled in */
    this.missing = null;
    this.funds = new WalletFunds(context.venue, () => this.refresh());
    this.form = buildTicketForm(root, context.pair, context.venue.order_lifetime, {
      onSide: (side) => this.setSide(side),
      onType: (type) => this.setType(type),
      onInput: (name) => this.onInput(name),
      onOption: () => this.refresh(),
      onShare: (percent) => this.useShare(percent),
      onQuickPrice: (name) => this.useQuickPrice(name),
      onSubmit: (event) => this.submit(event),
    });
    this.setType("limit");
  }

  // -- input --

  /** @param {"buy"|"sell"} side */
  setSide(side) {
    this.side = side;
    this.missing = null;
    setText(this.form.capped, "");
    this.refresh();
  }

  /** @param {import("./order-types.js").OrderType} type */
  setType(type) {
    this.type = type;
    this.missing = null;
    setText(this.form.capped, "");
    const { isMarket, isStop } = ORDER_TYPES[type];
    if (isMarket) this.form.slippage.input.value = this.slippages[isStop ? "stop" : "market"];
    this.refresh();
  }

  onInput(name) {
    const { slippage } = this.form;
    if (name === "amount" || name === "total") this.edited = name;
    if (name === "slippage") this.slippages[ORDER_TYPES[this.type].isStop ? "stop" : "market"] = slippage.input.value;
    setText(this.form.capped, "");
    this.refresh();
  }

  useQuickPrice(name) {
    const book = this.context.book();
    const middle = book?.middle();
    const ticks = name === "mid" ? middle && middle / 2n : book?.best(name === "bid" ? "bids" : "asks");
    if (ticks === null || ticks === undefined) return;
    this.form.price.input.value = plainPrice(this.pair, ticks);
    this.refresh();
  }

  /**
   * Fill in an order that takes a level of the book and all better ones, as far as the balance allows.
   * @param {{side: "bids"|"asks", ticks: bigint, lots: bigint}} level `lots` are cumulative
   */
  takeLevel({ side, ticks, lots }) {
    this.side = side === "asks" ? "buy" : "sell";
    this.setType("limit");
    this.form.price.input.value = plainPrice(this.pair, ticks);
    const available = this.available();
    const most = typeof available !== "bigint" ? lots : this.lotsFor(available, ticks);
    const isCapped = most < lots;
    this.setAmount(most === 0n ? "" : trimmed(plainLots(this.pair, isCapped ? most : lots)));
    const hint = most === 0n ? strings.nothingToSpend(this.gives()) : strings.capped;
    setText(this.form.capped, isCapped ? hint : "");
  }

  useShare(percent) {
    const available = this.available();
    if (typeof available !== "bigint") return;
    setText(this.form.capped, "");
    const part = share(available, percent);
    if (this.isBudget()) {
      this.setTotal(plainQuote(this.pair, part));
      return;
    }
    const { units: ticks } = this.side === "buy" ? readField(this.form.price, this.pair.priceDecimals) : { units: 0n };
    if (ticks !== undefined) this.setAmount(plainLots(this.pair, this.lotsFor(part, ticks)));
    else this.require(this.form.price, strings.priceFirst);
  }

  /** The whole lots that an amount of what the order gives is enough for. */
  lotsFor(amount, ticks) {
    return this.side === "sell" ? lotsOf(this.pair, amount) : mostLots(this.pair, amount, ticks);
  }

  setAmount(text) {
    this.form.amount.input.value = text;
    this.edited = "amount";
    this.refresh();
  }

  setTotal(text) {
    this.form.total.input.value = text;
    this.edited = "total";
    this.refresh();
  }

  /** Focus the field to fill in first. */
  focus() {
    const { trigger, price } = this.form;
    const { isMarket, isStop } = ORDER_TYPES[this.type];
    const first = [isStop && trigger, !isMarket && price].find((field) => field && !field.input.value);
    (first || this.quantityField()).input.focus();
  }

  // -- facts --

  /** A market buy has a budget in the quote token. */
  isBudget() {
    return ORDER_TYPES[this.type].isMarket && this.side === "buy";
  }

  quantityField() {
    return this.isBudget() ? this.form.total : this.form.amount;
  }

  /** The token that the order gives. */
  gives() {
    return this.side === "buy" ? this.pair.quote : this.pair.base;
  }

  isFromWallet() {
    return !ORDER_TYPES[this.type].isStop && this.form.options.wallet.checked;
  }

  /** What the order can spend, in units; null if unknown, undefined until loaded. */
  available() {
    return this.isFromWallet() ? this.funds.balance(this.context.account(), this.gives()) : this.context.available(this.gives());
  }

  readOrder() {
    const best = this.context.book()?.best(this.side === "buy" ? "asks" : "bids") ?? null;
    return readOrder(this.form, this.pair, { side: this.side, type: this.type, edited: this.edited, best });
  }

  /** What the order does now; null if it is incomplete, or waits for a trigger. */
  estimate(order) {
    const book = this.context.book();
    const hasQuantity = order.lots !== null || order.budget !== null;
    if (!book || !hasQuantity || order.ticks === null || order.kind.isStop) return null;
    const resting = order.side === "buy" ? "sell" : "buy";
    const own = this.context.ownOrders().filter(({ side }) => side === resting);
    return estimate(this.pair, asRequest(order), book.levels(order.side === "buy" ? "asks" : "bids"), own);
  }

  facts(order) {
    const { pair, mark, isMarkMissing } = this;
    const { venue, openCount, marketDisabled } = this.context;
    const estimated = this.estimate(order);
    const isComplete = order.ticks !== null && (order.lots !== null || order.budget !== null);
    const minimum = isComplete && (estimated || order.kind.isStop) ? minimumReceived(pair, asRequest(order), estimated) : null;
    return {
      order, pair, venue, mark, isMarkMissing, estimated, minimum, available: this.available(),
      openCount: openCount(), marketDisabled: marketDisabled(),
    };
  }

  // Marks are read while the order needs one.
  async updateMark(order) {
    if (!order.kind.isStop && !order.hasProtect) return;
    const before = [this.mark, this.isMarkMissing];
    try {
      this.mark = (await readMarks(this.context.venue)).get(`${this.pair.base}/${this.pair.quote}`) ?? null;
      this.isMarkMissing = false;
    } catch {
      this.mark = undefined;
      this.isMarkMissing = true;
    }
    if (before[0] !== this.mark || before[1] !== this.isMarkMissing) this.refresh();
  }

  // -- display --

  /** Bring the whole ticket up to date. @returns {import("../account/order-checks.js").Facts} */
  refresh() {
    const { form, pair } = this;
    const { side, type } = this;
    showFields(form, side, type);
    showOptions(form, side, type, this.context.venue.tokens.find((row) => row.symbol === this.gives()));
    form.options.stopFields.follow(side);
    const order = this.readOrder();
    if (!order.kind.isMarket) this.showFollowingField(order);
    const { stop, worst } = form.options.stopFields;
    for (const field of [form.trigger, form.price, form.amount, form.total, form.slippage, stop, worst]) field.setError("");
    for (const [field, problem] of order.errors) field.setError(problem);
    if (this.missing?.field.input.value) this.missing = null;
    this.missing?.field.setError(this.missing.problem);
    const hasWorstPrice = order.kind.isMarket && order.ticks !== null;
    setText(form.worstPrice, hasWorstPrice ? strings.worstPrice(showPrice(pair, order.ticks)) : "");
    const facts = this.facts(order);
    this.showBalance(facts.available);
    showStop(form, pair, order, this.mark);
    const rows = figures(pair, this.context.venue, order, facts.estimated, facts.minimum);
    form.estimate.replaceChildren(...rows.flatMap(([name, value, isStrong]) => [
      el("dt", {}, name),
      el("dd", { className: isStrong ? "strong" : "" }, value),
    ]));
    this.showSubmit(facts);
    this.updateMark(order);
    return facts;
  }

  // The amount and the total of a limit order follow each other.
  showFollowingField({ ticks, lots }) {
    const { form, pair } = this;
    if (ticks === null || lots === null) return;
    if (this.edited === "amount") form.total.input.value = trimmed(plainQuote(pair, total(pair, ticks, lots)));
    else form.amount.input.value = plainLots(pair, lots);
  }

  showBalance(available) {
    const { form, pair } = this;
    const isBuy = this.side === "buy";
    const [precision, decimals] = isBuy ? [pair.quotePrecision, pair.priceDecimals] : [pair.basePrecision, pair.quantityDecimals];
    const isKnown = typeof available === "bigint";
    const shown = isKnown ? `${shortened(available, precision, decimals)} ${this.gives()}` : NONE;
    setText(form.balanceLabel, this.isFromWallet() ? strings.inWallet : strings.available);
    setText(form.balance, shown);
    form.balance.title = isKnown ? strings.useAll(`${show(available, precision)} ${this.gives()}`) : "";
    form.deposit.hidden = !isKnown || this.isFromWallet();
    form.deposit.href = `transfer.html?symbol=${encodeURIComponent(this.gives())}`;
    for (const node of [form.balance, ...form.shares.children]) node.disabled = !isKnown || available === 0n;
  }

  showSubmit(facts) {
    const { submit, note } = this.form;
    const hasAccount = this.context.account() !== null;
    const problem = obstacle(facts);
    const { isStop } = facts.order.kind;
    submit.className = `button main wide is${this.side}`;
    const text = (isStop ? strings.submitStop : strings.submit)(this.side, this.pair.base);
    setText(submit, hasAccount ? text : strings.chooseAccount);
    submit.disabled = hasAccount && Boolean(problem);
    note.classList.toggle("bad", hasAccount && Boolean(problem));
    setText(note, problem || warnings(facts));
  }

  // -- signing --

  async submit(event) {
    event.preventDefault();
    if (!this.context.account()) {
      this.actions.chooseAccount();
      return;
    }
    const [intents, { IntentError }] = await Promise.all([import("../wallet/intents.js"), import("../wallet/intent-checks.js")]);
    // If the deposit of a one-signature trade failed, the order would spend the balance at the exchange.
    if (this.isFromWallet()) await this.funds.read();
    const facts = this.refresh();
    const { order } = facts;
    const invalid = order.errors[0]?.[0];
    const missing = this.missingField(order);
    if (invalid) {
      invalid.input.focus();
      return;
    }
    if (missing) {
      this.require(missing, inputStrings.required);
      return;
    }
    if (obstacle(facts)) return;
    try {
      this.actions.review(this.draft(intents, order), this.type === "limit" && !facts.estimated?.crosses);
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      setText(this.form.note, error.message);
    }
  }

  /** Ask for an empty field. New blocks do not take the message away. */
  require(field, problem) {
    this.missing = { field, problem };
    field.setError(problem);
    field.input.focus();
  }

  missingField({ kind, trigger, ticks, lots, budget }) {
    if (kind.isStop && !trigger) return this.form.trigger;
    if (!kind.isMarket && ticks === null) return this.form.price;
    return lots === null && budget === null ? this.quantityField() : null;
  }

  draft({ limitOrder, marketOrder, oneSignature }, order) {
    const { venue } = this.context;
    const account = this.context.account();
    const { kind, ticks, side, trigger, protect, expiration, timeInForce, postOnly, slippageBps } = order;
    const { base, quote } = this.pair;
    const quantity = order.budget === null ? { lots: order.lots } : { budget: order.budget };
    const parts = { side, base, quote, ...quantity, ...(trigger ? { trigger } : {}), ...(expiration ? { expiration } : {}) };
    const intent = kind.isMarket
      ? { ...parts, market: true, worst: ticks, slippageBps }
      : { ...parts, ticks, timeInForce, postOnly, ...(protect ? { protect } : {}) };
    if (order.fromWallet) return oneSignature(venue, account, intent);
    return kind.isMarket ? marketOrder(venue, account, intent) : limitOrder(venue, account, intent);
  }
}

/** The order as `estimate` takes it: a budget or lots. */
function asRequest({ kind, side, ticks, lots, budget, timeInForce, postOnly }) {
  return { side, ticks, timeInForce, postOnly, isMarket: kind.isMarket, ...(budget === null ? { lots } : { budget }) };
}

/** An amount in fewer decimals than its unit has, rounded down. */
function shortened(amount, precision, decimals) {
  const fewer = Math.max(0, Math.min(precision, decimals));
  return show(amount / 10n ** BigInt(precision - fewer), fewer);
}
