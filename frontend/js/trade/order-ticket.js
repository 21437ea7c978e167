// Order ticket: reads the input, estimates the order's immediate execution, and builds the draft to sign. All
// arithmetic is in whole ticks, lots and units, so the screen shows exactly what is signed.

import {
  baseUnits, lotsOf, mostLots, parse, plainLots, plainPrice, plainQuote, share, show, showBase, showLots, showPrice,
  showQuote, total, trimmed, worstPrice,
} from "../lib/amounts.js";
import { el, setText } from "../lib/dom.js";
import { NONE } from "../lib/format.js";
import { amounts as inputStrings } from "../strings/common.js";
import { ticket as strings } from "../strings/trade.js";
import { IntentError } from "../wallet/intent-checks.js";
import { limitOrder, marketOrder, oneSignature } from "../wallet/intents.js";
import { estimate, minimumReceived } from "./estimate.js";
import { buildTicketForm } from "./ticket-form.js";

const DEFAULT_SLIPPAGE_BPS = 100n;
const MAX_SLIPPAGE_BPS = 5000n;

/**
 * What the ticket needs to know. `available`: units of a token at the exchange, null if unknown. `marketDisabled`: why
 * market orders are disabled, else "".
 * @typedef {{pair: import("../lib/amounts.js").Market, venue: any,
 *   book: () => import("../data/order-book.js").OrderBook|null, account: () => string|null,
 *   available: (symbol: string) => bigint|null, marketDisabled: () => string}} Context
 * What the trader entered; null where it is missing. `ticks` is the limit or the worst price, `budget` what a market
 * buy spends, and `errors` are by field.
 * @typedef {{side: "buy"|"sell", type: "limit"|"market", base: string, quote: string, ticks: bigint|null,
 *   lots: bigint|null, budget: bigint|null, errors: [import("../lib/widgets.js").Field, string][]}} Order
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
    this.type = "limit";
    this.edited = "amount"; // the field typed last: the other one follows from it
    this.form = buildTicketForm(root, context.pair, context.venue.order_lifetime, {
      onSide: (side) => this.setSide(side),
      onType: (type) => this.setType(type),
      onInput: (name) => this.onInput(name),
      onOption: () => this.refresh(),
      onShare: (percent) => this.useShare(percent),
      onQuickPrice: (name) => this.useQuickPrice(name),
      onSubmit: (event) => this.submit(event),
    });
    this.refresh();
  }

  // -- input --

  /** @param {"buy"|"sell"} side */
  setSide(side) {
    this.side = side;
    this.refresh();
  }

  setType(type) {
    this.type = type;
    if (type === "market") this.edited = this.side === "buy" ? "total" : "amount";
    this.refresh();
  }

  onInput(name) {
    if (name === "amount" || name === "total") this.edited = name;
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
   * Fill in an order that takes a level of the book and all better ones.
   * @param {{side: "bids"|"asks", ticks: bigint, lots: bigint}} level `lots` are cumulative
   */
  takeLevel({ side, ticks, lots }) {
    this.side = side === "asks" ? "buy" : "sell";
    this.type = "limit";
    this.form.price.input.value = plainPrice(this.pair, ticks);
    this.setAmount(trimmed(plainLots(this.pair, lots)));
  }

  useShare(percent) {
    const available = this.available();
    if (available === null) return;
    const part = share(available, percent);
    if (this.side === "sell") this.setAmount(plainLots(this.pair, lotsOf(this.pair, part)));
    else if (this.type === "market") this.setTotal(plainQuote(this.pair, part));
    else {
      const ticks = this.parse(this.form.price, this.pair.priceDecimals).units;
      if (ticks) this.setAmount(plainLots(this.pair, mostLots(this.pair, part, ticks)));
      else {
        this.form.price.input.focus();
        this.form.price.setError(strings.priceFirst);
      }
    }
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
    const { price, amount, total } = this.form;
    const next = this.isBudget() ? total : amount;
    (this.type === "limit" && !price.input.value ? price : next).input.focus();
  }

  // -- reading --

  /** A market buy has a budget in the quote token. */
  isBudget() {
    return this.type === "market" && this.side === "buy";
  }

  /** The token that the order gives. */
  gives() {
    return this.side === "buy" ? this.pair.quote : this.pair.base;
  }

  available() {
    return this.form.options.wallet.checked ? null : this.context.available(this.gives());
  }

  parse(field, decimals) {
    const result = parse(field.input.value, decimals);
    return result.units === 0n ? { problem: inputStrings.zero } : result;
  }

  /** @returns {Order} */
  readOrder() {
    const { pair, side, type, form } = this;
    const order = { side, type, base: pair.base, quote: pair.quote, ticks: null, lots: null, budget: null, errors: [] };
    const read = (field, decimals) => {
      const { units, problem } = this.parse(field, decimals);
      if (problem) order.errors.push([field, problem]);
      return units ?? null;
    };
    if (type === "limit") order.ticks = read(form.price, pair.priceDecimals);
    if (this.isBudget()) order.budget = read(form.total, pair.quotePrecision);
    else if (type === "market" || this.edited === "amount") order.lots = read(form.amount, pair.quantityDecimals);
    else {
      const spend = read(form.total, pair.quotePrecision);
      if (spend !== null && order.ticks !== null) order.lots = mostLots(pair, spend, order.ticks);
      if (order.lots === 0n) {
        const minimum = showQuote(pair, total(pair, order.ticks, 1n));
        order.errors.push([form.total, strings.lessThanLot(minimum, pair.quote)]);
      }
    }
    if (type === "market") this.readWorstPrice(order);
    return order;
  }

  readWorstPrice(order) {
    const { slippage } = this.form;
    const { units: bps, problem } = parse(slippage.input.value, 2);
    if (bps === undefined || bps > MAX_SLIPPAGE_BPS) order.errors.push([slippage, problem || strings.slippageRange]);
    const best = this.context.book()?.best(this.side === "buy" ? "asks" : "bids") ?? null;
    if (best !== null) order.ticks = worstPrice(this.side, best, Number(bps ?? DEFAULT_SLIPPAGE_BPS));
  }

  estimate(order) {
    const book = this.context.book();
    const hasQuantity = order.lots !== null || order.budget !== null;
    if (!book || !hasQuantity || (order.type === "limit" && order.ticks === null)) return null;
    return estimate(this.pair, asRequest(order), book.levels(order.side === "buy" ? "asks" : "bids"));
  }

  /** Why the order cannot be placed, else "". */
  obstacle(order) {
    const isMarket = this.type === "market";
    if (this.pair.status !== "active") return strings.status(this.pair.status);
    if (isMarket && this.context.marketDisabled()) return this.context.marketDisabled();
    if (isMarket && order.ticks === null) return strings.noLiquidity;
    const cost = this.cost(order);
    const available = this.available();
    if (cost !== null && available !== null && cost > available) return strings.insufficient(this.gives());
    const estimated = this.estimate(order);
    if (!estimated) return "";
    const { timeInForce, postOnly } = this.form.options;
    if (!isMarket && postOnly.checked && estimated.crosses) return strings.postOnlyCrosses;
    if (!isMarket && timeInForce.value === "FOK" && !estimated.complete) return strings.notComplete;
    if (!estimated.crosses && (isMarket || timeInForce.value === "IOC")) return strings.noFill;
    return "";
  }

  /** Units of the token that the order gives; null if it is incomplete. */
  cost({ side, ticks, lots, budget }) {
    if (budget !== null) return budget;
    if (lots === null) return null;
    if (side === "sell") return baseUnits(this.pair, lots);
    return ticks === null ? null : total(this.pair, ticks, lots);
  }

  // -- display --

  /** Bring the whole ticket up to date. @returns {Order} */
  refresh() {
    const { form } = this;
    this.showFields();
    this.showWalletOption();
    const order = this.readOrder();
    if (this.type === "limit") this.showFollowingField(order);
    for (const field of [form.price, form.amount, form.total, form.slippage]) field.setError("");
    for (const [field, problem] of order.errors) field.setError(problem);
    const hasWorstPrice = this.type === "market" && order.ticks !== null;
    setText(form.worstPrice, hasWorstPrice ? strings.worstPrice(showPrice(this.pair, order.ticks)) : "");
    this.showBalance();
    this.showEstimate(order);
    this.showSubmit(order);
    return order;
  }

  showFields() {
    const { form, side, type } = this;
    const isBudget = this.isBudget();
    for (const [name, node] of Object.entries(form.sides)) node.setAttribute("aria-pressed", String(name === side));
    for (const [name, node] of Object.entries(form.types)) node.setAttribute("aria-pressed", String(name === type));
    form.price.node.hidden = type === "market";
    form.amount.node.hidden = isBudget;
    form.total.node.hidden = type === "market" && side === "sell";
    form.slippage.node.hidden = type === "limit";
    form.options.limitOnly.hidden = type === "market";
    setText(form.totalLabel, isBudget ? strings.spend : strings.total);
    // The percentage buttons stand below the field that they fill in.
    const order = isBudget ? [form.total.node, form.shares] : [form.shares, form.total.node];
    if (form.amount.node.nextSibling !== order[0]) form.amount.node.after(...order);
  }

  // The amount and the total of a limit order follow each other.
  showFollowingField({ ticks, lots }) {
    const { form, pair } = this;
    if (ticks === null || lots === null) return;
    if (this.edited === "amount") form.total.input.value = trimmed(plainQuote(pair, total(pair, ticks, lots)));
    else form.amount.input.value = plainLots(pair, lots);
  }

  showWalletOption() {
    const { wallet, walletHint } = this.form.options;
    const token = this.context.venue.tokens.find((row) => row.symbol === this.gives());
    const isPossible = token?.chain === "hive-engine";
    wallet.disabled = !isPossible;
    if (!isPossible) wallet.checked = false;
    setText(walletHint, isPossible ? strings.walletHint : strings.walletCoin(this.gives()));
  }

  showBalance() {
    const { form, pair } = this;
    const available = this.available();
    const decimals = this.side === "buy" ? pair.quotePrecision : pair.basePrecision;
    const known = available === null ? NONE : `${show(available, decimals)} ${this.gives()}`;
    setText(form.balance, form.options.wallet.checked ? strings.fromWallet : known);
    form.deposit.hidden = available === null;
    form.deposit.href = `transfer.html?symbol=${encodeURIComponent(this.gives())}`;
    for (const node of form.shares.children) node.disabled = available === null || available === 0n;
  }

  showEstimate(order) {
    const estimated = this.estimate(order);
    const lines = estimated
      ? this.estimateLines(order, estimated)
      : [strings.fills, strings.average, strings.fee, strings.minimum, strings.open].map((name) => [name, NONE]);
    this.form.estimate.replaceChildren(
      ...lines.flatMap(([name, value, isStrong]) => [
        el("dt", {}, name),
        el("dd", { className: isStrong ? "strong" : "" }, value),
      ]),
    );
  }

  estimateLines(order, estimated) {
    const { pair } = this;
    const { crosses, average } = estimated;
    const isBuy = order.side === "buy";
    const received = (units) =>
      isBuy ? `${trimmed(showBase(pair, units))} ${pair.base}` : `${trimmed(showQuote(pair, units))} ${pair.quote}`;
    return [
      [strings.fills, crosses ? `${showLots(pair, estimated.lots)} ${pair.base}` : strings.nothing],
      [strings.average, average === null ? NONE : `${average} ${pair.quote}`],
      [`${strings.fee} (${pair.takerFeeBps / 100} %)`, crosses ? received(estimated.fee) : NONE],
      [strings.minimum, received(minimumReceived(pair, order, estimated)), true],
      this.remainder(estimated),
    ];
  }

  remainder({ restBudget, restLots }) {
    const { pair } = this;
    if (this.isBudget()) return [strings.unspent, `${trimmed(showQuote(pair, restBudget))} ${pair.quote}`];
    const staysOpen = this.type === "limit" && this.form.options.timeInForce.value === "GTC";
    const rest = restLots === 0n ? strings.none : `${showLots(pair, restLots)} ${pair.base}`;
    return [staysOpen ? strings.open : strings.unfilled, rest];
  }

  showSubmit(order) {
    const { submit, note } = this.form;
    const hasAccount = this.context.account() !== null;
    const obstacle = this.obstacle(order);
    submit.className = `button main wide is${this.side}`;
    setText(submit, hasAccount ? strings.submit(this.side, this.pair.base) : strings.chooseAccount);
    submit.disabled = hasAccount && Boolean(obstacle);
    setText(note, obstacle);
  }

  // -- signing --

  submit(event) {
    event.preventDefault();
    if (!this.context.account()) {
      this.actions.chooseAccount();
      return;
    }
    const order = this.refresh();
    const invalid = order.errors[0]?.[0];
    const missing = this.missingField(order);
    if (invalid || missing) {
      if (!invalid) missing.setError(inputStrings.required);
      (invalid ?? missing).input.focus();
      return;
    }
    if (this.obstacle(order)) return;
    try {
      const rests = this.type === "limit" && !this.estimate(order)?.crosses;
      this.actions.review(this.draft(order), rests);
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      setText(this.form.note, error.message);
    }
  }

  missingField({ ticks, lots, budget }) {
    const { price, amount, total } = this.form;
    if (this.type === "limit" && ticks === null) return price;
    if (this.isBudget()) return budget === null ? total : null;
    return lots === null ? amount : null;
  }

  draft(order) {
    const { venue } = this.context;
    const account = this.context.account();
    const { timeInForce, lifetime, postOnly, wallet } = this.form.options;
    const { ticks, ...request } = asRequest(order);
    const { base, quote } = this.pair;
    const isMarket = order.type === "market";
    const intent = isMarket
      ? { ...request, market: true, base, quote, worst: ticks }
      : {
          ...request,
          base,
          quote,
          ticks,
          timeInForce: timeInForce.value,
          postOnly: postOnly.checked,
          ...(lifetime.value ? { expiration: Number(lifetime.value) } : {}),
        };
    if (wallet.checked) return oneSignature(venue, account, intent);
    return isMarket ? marketOrder(venue, account, intent) : limitOrder(venue, account, intent);
  }
}

/** The order as `estimate` and the intents take it: a budget or lots. */
function asRequest({ side, ticks, lots, budget }) {
  return { side, ticks, ...(budget === null ? { lots } : { budget }) };
}
