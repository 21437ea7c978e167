// Dialog that replaces an open order by one with another price, amount or protective stop, with one signature. It says
// what the new order would do, because it is an ordinary limit order: a post-only order would not stay one.

import { read } from "../data/api.js";
import { readMarks } from "../data/marks.js";
import { OrderBook } from "../data/order-book.js";
import { account } from "../data/session.js";
import { lotsOf, market, showBase, showLots, showQuote, trimmed, units } from "../lib/amounts.js";
import { el, setText } from "../lib/dom.js";
import { estimate } from "../lib/estimate.js";
import { parse } from "../lib/parse-amount.js";
import { field, NUMERIC, openFormDialog } from "../lib/widgets.js";
import { amounts as inputStrings } from "../strings/common.js";
import { replaceDialog as strings } from "../strings/ticket.js";
import { IntentError } from "../wallet/intent-checks.js";
import { replace } from "../wallet/intents.js";
import { review } from "../wallet/review-dialog.js";
import { obstacle } from "./order-checks.js";
import { StopFields } from "./stop-fields.js";

const READ_MS = 3000;
const MAX_LEVELS = 500;
const MAX_OWN = 200;

/**
 * @param {any} venue
 * @param {any} order a row of /api/orders
 */
export function openReplaceDialog(venue, order) {
  new ReplaceDialog(venue, order);
}

class ReplaceDialog {
  constructor(venue, order) {
    this.venue = venue;
    this.order = order;
    this.pair = market(venue, order.base, order.quote);
    /** What the exchange says now; null until loaded. */
    this.situation = null;
    this.hasFailed = false;
    this.build();
    this.refresh();
    this.readSituation();
    const timer = setInterval(() => this.readSituation(), READ_MS);
    this.dialog.addEventListener("close", () => clearInterval(timer));
    this.price.input.select();
  }

  build() {
    const { order, pair } = this;
    const oninput = () => this.refresh();
    this.price = field("replace-price", strings.price(order.quote), { ...NUMERIC, value: order.price, oninput });
    this.amount = field("replace-amount", strings.amount(order.base), { ...NUMERIC, value: trimmed(order.remaining), oninput });
    this.stop = new StopFields("replace", pair, oninput);
    if (order.stop_price) {
      this.stop.stop.input.value = order.stop_price;
      this.stop.worst.input.value = order.stop_limit;
      this.stop.isWorstTyped = true;
    }
    const canHaveStop = order.settle !== "wallet";
    this.effect = el("p", { className: "small", role: "status" });
    this.note = el("p", { className: "hint bad", role: "alert" });
    this.submit = el("button", { type: "submit", className: `button main is${order.side}` }, strings.review);
    this.dialog = openFormDialog("replace", strings.title, {
      onsubmit: (event) => this.send(event),
      body: [
        el("p", { className: "muted" }, strings.hint),
        this.price.node,
        this.amount.node,
        canHaveStop ? el("p", { className: "muted small" }, strings.protect(order.side)) : el("p", { className: "muted small" }, strings.noStop),
        canHaveStop && this.stop.node,
        this.effect,
        this.note,
      ],
      footer: [this.submit],
    });
  }

  // -- what the exchange says --

  async readSituation() {
    const { base, quote } = this.order;
    const user = account();
    try {
      const [book, { orders }, { balances }, marks] = await Promise.all([
        read("orderbook", { base, quote, depth: MAX_LEVELS }),
        read("orders", { user, base, quote, status: "open", limit: MAX_OWN }),
        read("balances", { user }),
        readMarks(this.venue),
      ]);
      this.situation = this.parsed(book, orders, balances, marks.get(`${base}/${quote}`) ?? null);
      this.hasFailed = false;
    } catch {
      this.hasFailed = true; // the API does not answer: it is asked again
    }
    this.refresh();
  }

  parsed(snapshot, orders, balances, mark) {
    const { pair, order } = this;
    const book = new OrderBook(pair);
    book.load(snapshot);
    const own = orders
      .filter((row) => row.side !== order.side)
      .map((row) => ({ ticks: units(row.price, pair.priceDecimals), lots: lotsOf(pair, units(row.remaining, pair.basePrecision)) }));
    const precision = order.side === "buy" ? pair.quotePrecision : pair.basePrecision;
    const row = balances.find(({ symbol }) => symbol === order.gives);
    const locked = orders.find(({ id }) => id === order.id)?.locked ?? order.locked;
    // What the old order holds is available to the new one.
    const available = units(row?.available ?? "0", precision) + units(locked, precision);
    return { levels: book.levels(order.side === "buy" ? "asks" : "bids"), own, mark, available };
  }

  // -- what the trader entered --

  /** What changes, with errors by field. */
  readChange() {
    const { order, pair } = this;
    const errors = [];
    const changed = (input, before, decimals) => {
      const { units: value, problem, empty } = parse(input.input.value, decimals);
      if (value === undefined || value === 0n) errors.push([input, empty ? inputStrings.required : problem || inputStrings.zero]);
      return { value: value || null, isNew: value !== undefined && value !== units(before, decimals) };
    };
    const price = changed(this.price, order.price, pair.priceDecimals);
    const amount = changed(this.amount, order.remaining, pair.quantityDecimals);
    const { change: protect, kept } = this.readStop(errors);
    const change = {
      ...(price.isNew ? { ticks: price.value } : {}),
      ...(amount.isNew ? { lots: amount.value } : {}),
      ...(protect ? { protect } : {}),
    };
    return { change, errors, ticks: price.value, lots: amount.value, protect: protect ?? kept };
  }

  readStop(errors) {
    const { order, pair } = this;
    if (order.settle === "wallet") return { change: null, kept: null };
    const { protect, errors: problems } = this.stop.read();
    errors.push(...problems);
    const ticksOf = (text) => units(text, pair.priceDecimals);
    const kept = order.stop_price ? { stopTicks: ticksOf(order.stop_price), limitTicks: ticksOf(order.stop_limit) } : null;
    if (kept && !protect && !problems.length) errors.push([this.stop.stop, strings.staysStop]);
    if (!kept && !protect && this.stop.worst.input.value) errors.push([this.stop.stop, inputStrings.required]);
    const isSame = kept && protect && kept.stopTicks === protect.stopTicks && kept.limitTicks === protect.limitTicks;
    return { change: isSame ? null : protect, kept };
  }

  /** The new order, for the checks and the estimate. */
  newOrder({ ticks, lots, protect }) {
    const kind = { isMarket: false, isStop: false, isTakeProfit: false };
    return {
      side: this.order.side, type: "limit", kind, ticks, lots, budget: null, trigger: null, protect,
      hasProtect: protect !== null, timeInForce: "GTC", postOnly: false, fromWallet: false, errors: [],
    };
  }

  // -- display --

  refresh() {
    const { pair, venue, situation } = this;
    this.stop.follow(this.order.side);
    const change = this.readChange();
    for (const one of [this.price, this.amount, this.stop.stop, this.stop.worst]) one.setError("");
    for (const [one, problem] of change.errors) one.setError(problem);
    this.stop.show(this.order.side, change.protect);
    const { ticks, lots } = change;
    setText(this.effect, "");
    let problem = situation ? "" : this.hasFailed ? strings.failed : strings.loading;
    if (situation && ticks !== null && lots !== null) {
      const order = this.newOrder(change);
      const estimated = estimate(pair, { side: order.side, ticks, lots }, situation.levels, situation.own);
      const { mark, available } = situation;
      const facts = { order, estimated, pair, venue, available, openCount: null, mark, isMarkMissing: false, marketDisabled: "", minimum: null };
      problem = obstacle(facts);
      this.showEffect(estimated);
    }
    setText(this.note, problem);
    this.submit.disabled = Boolean(problem);
    return { ...change, problem };
  }

  showEffect({ crosses, lots, average, fee, rests }) {
    const { pair, order } = this;
    const parts = [];
    if (crosses) {
      const amount = `${showLots(pair, lots)} ${pair.base}`;
      const [shown, symbol] = order.side === "buy" ? [showBase(pair, fee), pair.base] : [showQuote(pair, fee), pair.quote];
      parts.push(strings.crosses({
        amount, average: `${average} ${pair.quote}`, fee: `${trimmed(shown)} ${symbol}`, rate: `${pair.takerFeeBps / 100} %`,
      }));
    }
    if (rests > 0n) parts.push(strings.rests(`${showLots(pair, rests)} ${pair.base}`));
    this.effect.classList.toggle("bad", crosses);
    setText(this.effect, parts.join(" "));
  }

  // -- signing --

  send(event) {
    event.preventDefault();
    const { change, errors, problem } = this.refresh();
    if (errors.length) errors[0][0].input.focus();
    if (errors.length || problem) return;
    try {
      const draft = replace(this.venue, account(), this.order, change);
      this.dialog.close();
      review(draft, { side: this.order.side });
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      setText(this.note, error.message);
    }
  }
}
