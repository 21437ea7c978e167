// Builds and validates what a trader signs: custom_json operations for the venue, deposits, and the sentence that
// describes them. Pure: it uses neither the wallet nor the network.

import {
  baseUnits, grouped, plain, plainLots, plainPrice, show, showLots, showPrice, total, triggerText, trimmed,
} from "../lib/amounts.js";
import { intents as strings } from "../strings/intents.js";
import {
  IntentError, activePair, checkAccount, checkId, checkLifetime, checkMemo, checkMinimum, checkPositive, checkRange,
  checkRecipient, ORDER_ID, tokenOf, WITHDRAWAL_ID,
} from "./intent-checks.js";

/** Limits of a custom_json in bytes, and of an account's actions in a block of the sidechain. */
export const MAX_JSON_BYTES = 8192;
export const MAX_ACTIONS = 20;

/**
 * @typedef {{ref: string, account: string, kind: "custom_json"|"transfer", action: string, title: string,
 *   message: string, about: Record<string, any>, authority?: "active"|"posting", elements?: object[], id?: string,
 *   json?: string, to?: string, amount?: string, symbol?: string, memo?: string}} Draft
 * An unsigned operation and its description; serializable as JSON. `title` is short, for toasts; `message` is the full
 * sentence, which the wallet shows too. `about` helps to find the intent on the chain and to describe its outcome.
 * `authority`: the key that signs it, by default the active key.
 */

/** A new client reference: it identifies the intent even if the wallet's answer is lost. */
export function newRef() {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  return `w${Array.from(crypto.getRandomValues(new Uint8Array(15)), (byte) => letters[byte % 36]).join("")}`;
}

/**
 * Draft of a limit order.
 * @param {any} venue the body of /api/venue
 * @param {string} account
 * @param {{side: "buy"|"sell", base: string, quote: string, lots: bigint, ticks: bigint, expiration?: number,
 *   timeInForce?: "GTC"|"IOC"|"FOK", postOnly?: boolean, settle?: "venue"|"wallet"}} order `expiration` in seconds
 * @returns {Draft}
 * @throws {IntentError}
 */
export function limitOrder(venue, account, order) {
  return custom(venue, account, [limitPart(venue, order)]);
}

/**
 * Draft of a market order. A buy has a `budget` in quote units, a sell has `lots`; `worst` is the price limit in ticks.
 * @param {any} venue
 * @param {string} account
 * @param {{side: "buy"|"sell", base: string, quote: string, lots?: bigint, budget?: bigint, worst: bigint|null,
 *   settle?: "venue"|"wallet"}} order
 * @returns {Draft}
 * @throws {IntentError}
 */
export function marketOrder(venue, account, order) {
  return custom(venue, account, [marketPart(venue, order)]);
}

/**
 * Draft that cancels an open order or a waiting stop.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 * @returns {Draft}
 */
export function cancel(venue, account, order) {
  return custom(venue, account, [{
    action: "cancel",
    payload: { id: checkId(ORDER_ID, order.id) },
    title: strings.cancel(orderText(order)),
    sentence: strings.cancelSentence(orderText(order), remainingText(order)),
    about: { order: order.id, base: order.base, quote: order.quote, cancels: orderText(order) },
  }]);
}

/**
 * Draft that cancels all open orders and waiting stops, or those of one pair.
 * @param {any} venue
 * @param {string} account
 * @param {{base?: string, quote?: string}} [pair]
 * @returns {Draft}
 */
export function cancelAll(venue, account, { base, quote } = {}) {
  const pair = base && quote ? `${base}/${quote}` : base ?? quote ?? "";
  return custom(venue, account, [{
    action: "cancelAll",
    payload: { ...(base ? { symbol: base } : {}), ...(quote ? { quote } : {}) },
    title: strings.cancelAll(strings.allOrders(pair)),
    sentence: strings.cancelAllSentence(pair),
    about: { base, quote, cancels: strings.allOrders(pair) },
  }]);
}

/**
 * Draft that replaces an order by one with another quantity or price, in one step.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 * @param {{lots?: bigint, ticks?: bigint}} change
 * @returns {Draft}
 */
export function replace(venue, account, order, { lots, ticks }) {
  const pair = activePair(venue, order.base, order.quote);
  if (lots === undefined && ticks === undefined) throw new IntentError("price", strings.noChange);
  if (lots !== undefined) checkPositive("quantity", lots);
  if (ticks !== undefined) checkPositive("price", ticks);
  const payload = { id: checkId(ORDER_ID, order.id), maxFeeBps: pair.takerFeeBps };
  if (lots !== undefined) payload.quantity = plainLots(pair, lots);
  if (ticks !== undefined) payload.price = plainPrice(pair, ticks);
  const quantity = payload.quantity ?? order.remaining;
  const price = payload.price ?? order.price;
  const after = orderText({ ...order, quantity, price });
  return custom(venue, account, [{
    action: "replace",
    payload,
    title: strings.replace(after),
    sentence: strings.replaceSentence(orderText(order), after),
    about: { order: order.id, base: order.base, quote: order.quote, side: order.side },
  }]);
}

/**
 * Draft of a withdrawal. With `all` it may be less than the minimum, if no other withdrawal is pending.
 * @param {any} venue
 * @param {string} account
 * @param {{symbol: string, units?: bigint, all?: boolean, to?: string, memo?: string}} what
 * @returns {Draft}
 */
export function withdraw(venue, account, { symbol, units, all = false, to, memo }) {
  const token = tokenOf(venue, symbol);
  if (!all) checkMinimum(token, checkRange("quantity", checkPositive("quantity", units ?? 0n)));
  const quantity = all ? "all" : plain(units, token.precision);
  const payload = { symbol, quantity };
  if (to && to !== account) payload.to = checkRecipient(venue, to);
  if (memo) payload.memo = checkMemo(memo, token.chain);
  const amount = all ? strings.everything(symbol) : `${trimmed(grouped(quantity))} ${symbol}`;
  return custom(venue, account, [{
    action: "withdraw",
    payload,
    title: strings.withdraw(amount),
    sentence: strings.withdrawSentence(amount, payload.to ?? account, memo ?? ""),
    about: { symbol, quantity: all ? null : quantity, to: payload.to ?? account },
  }]);
}

/**
 * Draft that takes a pending withdrawal back; the amount is available again after an hour, unless it is paid before.
 * @param {any} venue
 * @param {string} account
 * @param {any} withdrawal a row of /api/withdrawals
 * @returns {Draft}
 */
export function cancelWithdrawal(venue, account, withdrawal) {
  const amount = `${trimmed(grouped(withdrawal.amount))} ${withdrawal.symbol}`;
  return custom(venue, account, [{
    action: "cancelWithdrawal",
    payload: { id: checkId(WITHDRAWAL_ID, withdrawal.id) },
    title: strings.cancelWithdrawal(amount),
    sentence: strings.cancelWithdrawalSentence(amount, withdrawal.to),
    about: { withdrawal: withdrawal.id, symbol: withdrawal.symbol },
  }]);
}

/**
 * Draft of a deposit: a transfer of HIVE or HBD, or `tokens.transfer` of a token, to the escrow account.
 * @param {any} venue
 * @param {string} account
 * @param {{symbol: string, units: bigint}} what
 * @returns {Draft}
 */
export function deposit(venue, account, { symbol, units }) {
  const token = tokenOf(venue, symbol);
  if (token.chain === "hive-engine") return custom(venue, account, [depositPart(venue, { symbol, units })]);
  checkRange("quantity", checkPositive("quantity", units));
  const amount = plain(units, token.precision);
  const text = `${trimmed(grouped(amount))} ${symbol}`;
  return {
    ref: newRef(),
    account: checkAccount(account),
    kind: "transfer",
    action: "deposit",
    title: strings.deposit(text),
    message: `${venue.name}: ${strings.depositSentence(text, token.escrow)}`,
    about: { symbol, quantity: amount },
    to: token.escrow,
    amount,
    symbol,
    memo: "",
  };
}

/**
 * Draft of a deposit, an order and the payout of its proceeds to the wallet in one custom_json.
 * @param {any} venue
 * @param {string} account
 * @param {any} order as for `limitOrder`, or as for `marketOrder` with `market: true`; the deposit covers it
 * @returns {Draft}
 */
export function oneSignature(venue, account, order) {
  const pair = activePair(venue, order.base, order.quote);
  const part = (order.market ? marketPart : limitPart)(venue, { ...order, settle: "wallet" });
  const units = order.side === "sell" ? baseUnits(pair, order.lots)
    : order.market ? order.budget : total(pair, order.ticks, order.lots);
  const first = depositPart(venue, { symbol: order.side === "sell" ? order.base : order.quote, units });
  const both = custom(venue, account, [first, part]);
  return { ...both, action: part.action, title: part.title, about: { ...part.about, deposit: first.about } };
}

// -- parts of a custom_json --------------------------------------------------------------------------------------

function limitPart(venue, { side, base, quote, lots, ticks, expiration, timeInForce = "GTC", postOnly = false, settle }) {
  const pair = activePair(venue, base, quote);
  checkPositive("quantity", lots);
  checkPositive("price", ticks);
  checkRange("quantity", baseUnits(pair, lots));
  const cost = checkRange("total", total(pair, ticks, lots));
  const quantity = plainLots(pair, lots);
  const price = plainPrice(pair, ticks);
  const payload = { symbol: base, quote, quantity, price, maxFeeBps: pair.takerFeeBps };
  if (expiration !== undefined) payload.expiration = checkLifetime(venue, expiration);
  if (timeInForce !== "GTC") payload.timeInForce = timeInForce;
  if (postOnly && timeInForce !== "GTC") throw new IntentError("postOnly", strings.postOnlyConflict);
  if (postOnly) payload.postOnly = true;
  const amount = `${showLots(pair, lots)} ${base}`;
  const ends = timeInForce === "GTC" ? strings.expires(expiration ?? venue.order_lifetime) : strings.timeInForce[timeInForce];
  return {
    action: side,
    payload: settled(payload, settle),
    title: strings.order(side, amount, showPrice(pair, ticks)),
    sentence: strings.limitSentence({
      side,
      amount,
      price: `${showPrice(pair, ticks)} ${quote}`,
      total: `${trimmed(show(cost, pair.quotePrecision))} ${quote}`,
      ends,
      postOnly,
      wallet: settle === "wallet",
    }),
    about: { side, type: "limit", base, quote, quantity, price },
  };
}

function marketPart(venue, { side, base, quote, lots, budget, worst, settle }) {
  const pair = activePair(venue, base, quote);
  const isBuy = side === "buy";
  const units = isBuy ? checkPositive("total", budget ?? 0n) : baseUnits(pair, checkPositive("quantity", lots ?? 0n));
  checkRange(isBuy ? "total" : "quantity", units);
  const quantity = isBuy ? plain(units, pair.quotePrecision) : plainLots(pair, lots);
  const payload = { symbol: base, quote, quantity, maxFeeBps: pair.takerFeeBps };
  if (worst !== null) payload.price = plainPrice(pair, checkPositive("price", worst));
  const amount = isBuy ? `${trimmed(grouped(quantity))} ${quote}` : `${grouped(quantity)} ${base}`;
  return {
    action: isBuy ? "marketBuy" : "marketSell",
    payload: settled(payload, settle),
    title: strings.marketOrder(side, base, amount),
    sentence: strings.marketSentence({
      side,
      base,
      quote,
      amount,
      worst: worst === null ? null : `${showPrice(pair, worst)} ${quote}`,
      wallet: settle === "wallet",
    }),
    about: { side, type: "market", base, quote, quantity, price: payload.price ?? null },
  };
}

function depositPart(venue, { symbol, units }) {
  const token = tokenOf(venue, symbol);
  if (token.chain !== "hive-engine") throw new IntentError("deposit", strings.coinNeedsDeposit(symbol));
  checkRange("quantity", checkPositive("quantity", units));
  const quantity = plain(units, token.precision);
  const text = `${trimmed(grouped(quantity))} ${symbol}`;
  return {
    contract: "tokens",
    action: "transfer",
    payload: { symbol, to: token.escrow, quantity },
    title: strings.deposit(text),
    sentence: strings.depositSentence(text, token.escrow),
    about: { symbol, quantity },
  };
}

function settled(payload, settle) {
  return settle === "wallet" ? { ...payload, settle } : payload;
}

/**
 * Draft of one custom_json with the parts in their order. The actions for the venue share one ref.
 * @param {any} venue
 * @param {string} account
 * @param {{contract?: string, action: string, payload: any, title: string, sentence: string,
 *   about: Record<string, any>}[]} parts the draft has title and `about` of the last one
 * @returns {Draft}
 * @throws {IntentError}
 */
export function custom(venue, account, parts) {
  const ref = newRef();
  if (parts.length > MAX_ACTIONS) throw new IntentError("", strings.tooMany(MAX_ACTIONS));
  const elements = parts.map(({ contract, action, payload }) => ({
    contractName: contract ?? venue.contract,
    contractAction: action,
    contractPayload: contract ? payload : { ...payload, ref },
  }));
  const json = JSON.stringify(elements.length === 1 ? elements[0] : elements);
  if (jsonBytes(json) > MAX_JSON_BYTES) throw new IntentError("memo", strings.tooLong(MAX_JSON_BYTES));
  const last = parts[parts.length - 1];
  return {
    ref,
    account: checkAccount(account),
    kind: "custom_json",
    action: last.contract ? "deposit" : last.action,
    title: last.title,
    message: `${venue.name}: ${parts.map((part) => part.sentence).join(strings.and)}`,
    about: last.about,
    elements,
    id: venue.custom_json_id,
    json,
  };
}

/**
 * A copy of the draft under a new ref.
 * @param {Draft} draft
 * @returns {Draft}
 */
export function withNewRef(draft) {
  const ref = newRef();
  return { ...withPayload(draft, { ref }), ref };
}

/**
 * A copy of the draft whose actions are rejected in a block after that time. A deposit has no such limit.
 * @param {Draft} draft
 * @param {number} notAfter in seconds since 1970
 * @returns {Draft}
 */
export const withDeadline = (draft, notAfter) => withPayload(draft, { notAfter });

/** The time after which the exchange rejects the draft, in seconds since 1970; null if there is none. */
export const deadlineOf = (draft) => draft.elements?.at(-1).contractPayload.notAfter ?? null;

// Only the actions for the venue have a ref.
function withPayload(draft, change) {
  if (draft.kind === "transfer") return draft;
  const elements = draft.elements.map((element) => {
    const payload = element.contractPayload;
    return { ...element, contractPayload: "ref" in payload ? { ...payload, ...change } : payload };
  });
  return { ...draft, elements, json: JSON.stringify(elements.length === 1 ? elements[0] : elements) };
}

/** @param {string} text */
export const jsonBytes = (text) => new TextEncoder().encode(text).length;

function orderText(order) {
  const price = order.price === null ? strings.market : `${grouped(order.price)} ${order.quote}`;
  const text = strings.order(order.side, `${trimmed(grouped(order.quantity))} ${order.quantity_symbol ?? order.base}`, price);
  return order.trigger_price ? strings.stop(text, `${triggerText(order)} ${order.quote}`) : text;
}

function remainingText(order) {
  return order.remaining === order.quantity ? "" : trimmed(grouped(order.remaining));
}
