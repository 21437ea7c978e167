// Builds and validates what a trader signs: custom_json operations for the venue, deposits, and the sentence that
// describes them. Pure: it uses neither the wallet nor the network.

import { baseUnits, grouped, plain, plainLots, plainPrice, total, trimmed } from "../lib/amounts.js";
import { intents as strings } from "../strings/intents.js";
import {
  IntentError, activePair, checkAccount, checkId, checkMemo, checkMinimum, checkPositive, checkRange, checkRecipient,
  checkTotal, ORDER_ID, tokenOf, WITHDRAWAL_ID,
} from "./intent-checks.js";
import { depositPart, limitPart, marketPart, protectPayload } from "./order-parts.js";

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
 * Draft of a limit order. With a trigger it is a stop, which becomes the order once the mark is at that price or above
 * it, or at it or below. With `protect` the resting order has a protective stop: once the mark reaches `stopTicks`, it
 * is cancelled, and what remains of it trades at the market, at `limitTicks` or better.
 * @param {any} venue the body of /api/venue
 * @param {string} account
 * @param {{side: "buy"|"sell", base: string, quote: string, lots: bigint, ticks: bigint, expiration?: number,
 *   timeInForce?: "GTC"|"IOC"|"FOK", postOnly?: boolean, settle?: "venue"|"wallet",
 *   trigger?: {ticks: bigint, when: "above"|"below"}, protect?: {stopTicks: bigint, limitTicks: bigint}}} order
 *   `expiration` in seconds
 * @returns {Draft}
 * @throws {IntentError}
 */
export function limitOrder(venue, account, order) {
  return custom(venue, account, [limitPart(venue, order)]);
}

/**
 * Draft of a market order, or with a trigger of a stop. A buy has a `budget` in quote units, a sell has `lots`; `worst`
 * is the price limit in ticks.
 * @param {any} venue
 * @param {string} account
 * @param {{side: "buy"|"sell", base: string, quote: string, lots?: bigint, budget?: bigint, worst: bigint|null,
 *   settle?: "venue"|"wallet", trigger?: {ticks: bigint, when: "above"|"below"}, expiration?: number,
 *   slippageBps?: number}} order `expiration` of the stop in seconds; `slippageBps`: how `worst` was chosen
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
 * @param {{base?: string, quote?: string, count?: number}} [which] `count`: how many there are now, for the sentence
 * @returns {Draft}
 */
export function cancelAll(venue, account, { base, quote, count } = {}) {
  const pair = base && quote ? `${base}/${quote}` : base ?? quote ?? "";
  return custom(venue, account, [{
    action: "cancelAll",
    payload: { ...(base ? { symbol: base } : {}), ...(quote ? { quote } : {}) },
    title: strings.cancelAll(strings.allOrders(pair, count)),
    sentence: strings.cancelAllSentence(pair, count),
    about: { base, quote, cancels: strings.allOrders(pair, count) },
  }]);
}

/**
 * Draft that replaces an order by one with another quantity, price or protective stop, in one step.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 * @param {{lots?: bigint, ticks?: bigint, protect?: {stopTicks: bigint, limitTicks: bigint}}} change
 * @returns {Draft}
 * @throws {IntentError}
 */
export function replace(venue, account, order, { lots, ticks, protect }) {
  const pair = activePair(venue, order.base, order.quote);
  if (lots === undefined && ticks === undefined && !protect) throw new IntentError("price", strings.noChange);
  if (lots !== undefined) checkRange("quantity", baseUnits(pair, checkPositive("quantity", lots)));
  if (ticks !== undefined) checkPositive("price", ticks);
  if (protect && order.settle === "wallet") throw new IntentError("stop", strings.protectConflict);
  const payload = { id: checkId(ORDER_ID, order.id), maxFeeBps: pair.takerFeeBps };
  if (lots !== undefined) payload.quantity = plainLots(pair, lots);
  if (ticks !== undefined) payload.price = plainPrice(pair, ticks);
  if (protect) Object.assign(payload, protectPayload(pair, order.side, protect));
  const after = {
    ...order,
    quantity: payload.quantity ?? order.remaining,
    price: payload.price ?? order.price,
    stop_price: payload.stopPrice ?? order.stop_price,
    stop_limit: payload.stopLimit ?? order.stop_limit,
  };
  checkTotal(pair, after.price, after.quantity);
  return custom(venue, account, [{
    action: "replace",
    payload,
    title: strings.replace(orderText(after)),
    sentence: strings.replaceSentence(protectedText(order), protectedText(after)),
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
 * @param {any} order as for `limitOrder`, or as for `marketOrder` with `market: true`, but no stop; the deposit covers it
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

// -- custom_json -------------------------------------------------------------------------------------------------

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
  if (!order.trigger_price) return text;
  return strings.stop(text, strings.condition(order.trigger_when, `${grouped(order.trigger_price)} ${order.quote}`));
}

function protectedText(order) {
  const text = orderText(order);
  return order.stop_price ? strings.withStop(text, grouped(order.stop_price), grouped(order.stop_limit)) : text;
}

function remainingText(order) {
  return order.remaining === order.quantity ? "" : trimmed(grouped(order.remaining));
}
