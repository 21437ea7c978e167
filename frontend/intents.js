// What a trader signs, built and checked: custom_json for the venue, deposits, and the sentence that says it all.
// Pure: it knows the venue's rules, but neither the wallet nor the network.

import { MAX_UNITS, baseUnits, brief, grouped, market, plain, plainLots, plainPrice, show, showLots, showPrice, total } from "./amounts.js";
import { isAccount } from "./session.js";
import { intents as words } from "./strings.js";

/** A custom_json holds so many bytes, and the sidechain runs so many actions of an account in a block. */
export const MAX_JSON_BYTES = 8192;
export const MAX_ACTIONS = 20;
const MAX_MEMO = 256;
const ID = /^[0-9a-f]{40}(?:-\d{1,4}){0,2}$/;

/** It would be rejected, so it is not built. `field` names the input. */
export class IntentError extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/**
 * @typedef {{ref: string, account: string, kind: "custom_json"|"transfer", action: string, title: string,
 *   message: string, about: Record<string, any>, elements?: object[], id?: string, json?: string, to?: string,
 *   amount?: string, symbol?: string, memo?: string}} Draft
 * All of it is text, so that it can be stored. `title` is short, for lists; `message` is the whole sentence,
 * which the wallet shows too. `about` is for finding the intent again and for telling what became of it.
 */

/** The trader's own reference: finds an order again when the wallet's answer is lost. */
export function newRef() {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  return `w${Array.from(crypto.getRandomValues(new Uint8Array(15)), (byte) => letters[byte % 36]).join("")}`;
}

/**
 * An order with a limit price.
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
 * An order at the market. A buy spends a budget, a sell sells lots; `worst` is the worst price.
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
 * Cancel one open order.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 * @returns {Draft}
 */
export function cancel(venue, account, order) {
  return custom(venue, account, [{
    action: "cancel",
    payload: { id: orderId(order.id) },
    title: words.cancel(orderText(order)),
    sentence: words.cancelSentence(orderText(order), leftText(order)),
    about: { order: order.id, base: order.base, quote: order.quote },
  }]);
}

/**
 * Cancel all open orders, or those of one pair.
 * @param {any} venue
 * @param {string} account
 * @param {{base?: string, quote?: string}} [where]
 * @returns {Draft}
 */
export function cancelAll(venue, account, { base, quote } = {}) {
  const pair = base && quote ? `${base}/${quote}` : base ?? quote ?? "";
  return custom(venue, account, [{
    action: "cancelAll",
    payload: { ...(base ? { symbol: base } : {}), ...(quote ? { quote } : {}) },
    title: words.cancelAll(pair),
    sentence: words.cancelAllSentence(pair),
    about: { base, quote },
  }]);
}

/**
 * Cancel an order and place it anew with another quantity or price, in one step.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 * @param {{lots?: bigint, ticks?: bigint}} change
 * @returns {Draft}
 */
export function replace(venue, account, order, { lots, ticks }) {
  const pair = openPair(venue, order.base, order.quote);
  if (lots === undefined && ticks === undefined) throw new IntentError("price", words.noChange);
  if (lots !== undefined) positive("quantity", lots);
  if (ticks !== undefined) positive("price", ticks);
  const payload = { id: orderId(order.id) };
  if (lots !== undefined) payload.quantity = plainLots(pair, lots);
  if (ticks !== undefined) payload.price = plainPrice(pair, ticks);
  const quantity = payload.quantity ?? order.remaining;
  const price = payload.price ?? order.price;
  const after = orderText({ ...order, quantity, price });
  return custom(venue, account, [{
    action: "replace",
    payload,
    title: words.replace(after),
    sentence: words.replaceSentence(orderText(order), after),
    about: { order: order.id, base: order.base, quote: order.quote, side: order.side },
  }]);
}

/**
 * Take something out of the venue.
 * @param {any} venue
 * @param {string} account
 * @param {{symbol: string, units?: bigint, all?: boolean, to?: string, memo?: string}} what
 * @returns {Draft}
 */
export function withdraw(venue, account, { symbol, units, all = false, to, memo }) {
  const token = tokenOf(venue, symbol);
  if (!all) inRange("quantity", positive("quantity", units ?? 0n));
  const quantity = all ? "all" : plain(units, token.precision);
  const payload = { symbol, quantity };
  if (to && to !== account) payload.to = recipient(venue, to);
  if (memo) payload.memo = checkedMemo(memo, token.chain);
  const amount = all ? words.everything(symbol) : `${brief(grouped(quantity))} ${symbol}`;
  return custom(venue, account, [{
    action: "withdraw",
    payload,
    title: words.withdraw(amount),
    sentence: words.withdrawSentence(amount, payload.to ?? account, memo ?? ""),
    about: { symbol, quantity: all ? null : quantity, to: payload.to ?? account },
  }]);
}

/**
 * Move coins or tokens to their escrow account: a transfer of HIVE or HBD, `tokens.transfer` for all else.
 * @param {any} venue
 * @param {string} account
 * @param {{symbol: string, units: bigint}} what
 * @returns {Draft}
 */
export function deposit(venue, account, { symbol, units }) {
  const token = tokenOf(venue, symbol);
  if (token.chain === "hive-engine") return custom(venue, account, [depositPart(venue, { symbol, units })]);
  inRange("quantity", positive("quantity", units));
  const amount = plain(units, token.precision);
  const text = `${brief(grouped(amount))} ${symbol}`;
  return {
    ref: newRef(),
    account: signer(account),
    kind: "transfer",
    action: "deposit",
    title: words.deposit(text),
    message: `${venue.name}: ${words.depositSentence(text, token.escrow)}`,
    about: { symbol, quantity: amount },
    to: token.escrow,
    amount,
    symbol,
    memo: "",
  };
}

/**
 * Deposit, order, and all that it brings back to the wallet: one custom_json, one signature.
 * @param {any} venue
 * @param {string} account
 * @param {any} order as for `limitOrder`, or as for `marketOrder` with `market: true`; what it needs is deposited
 * @returns {Draft}
 */
export function oneSignature(venue, account, order) {
  const pair = openPair(venue, order.base, order.quote);
  const part = (order.market ? marketPart : limitPart)(venue, { ...order, settle: "wallet" });
  const units = order.side === "sell" ? baseUnits(pair, order.lots)
    : order.market ? order.budget : total(pair, order.ticks, order.lots);
  const first = depositPart(venue, { symbol: order.side === "sell" ? order.base : order.quote, units });
  const both = custom(venue, account, [first, part]);
  return { ...both, action: part.action, title: part.title, about: { ...part.about, deposit: first.about } };
}

// -- parts of a custom_json --------------------------------------------------------------------------------------

function limitPart(venue, { side, base, quote, lots, ticks, expiration, timeInForce = "GTC", postOnly = false, settle }) {
  const pair = openPair(venue, base, quote);
  positive("quantity", lots);
  positive("price", ticks);
  inRange("quantity", baseUnits(pair, lots));
  const cost = inRange("total", total(pair, ticks, lots));
  const quantity = plainLots(pair, lots);
  const price = plainPrice(pair, ticks);
  const payload = { symbol: base, quote, quantity, price };
  if (expiration !== undefined) payload.expiration = lifetime(venue, expiration);
  if (timeInForce !== "GTC") payload.timeInForce = timeInForce;
  if (postOnly && timeInForce !== "GTC") throw new IntentError("postOnly", words.postOnlyRests);
  if (postOnly) payload.postOnly = true;
  const amount = `${showLots(pair, lots)} ${base}`;
  const ends = timeInForce === "GTC" ? words.expires(expiration ?? venue.order_lifetime) : words.force[timeInForce];
  return {
    action: side,
    payload: settled(payload, settle),
    title: words.order(side, amount, showPrice(pair, ticks)),
    sentence: words.limitSentence({
      side,
      amount,
      price: `${showPrice(pair, ticks)} ${quote}`,
      total: `${brief(show(cost, pair.quotePrecision))} ${quote}`,
      ends,
      postOnly,
      wallet: settle === "wallet",
    }),
    about: { side, type: "limit", base, quote, quantity, price },
  };
}

function marketPart(venue, { side, base, quote, lots, budget, worst, settle }) {
  const pair = openPair(venue, base, quote);
  const isBuy = side === "buy";
  const units = isBuy ? positive("total", budget ?? 0n) : baseUnits(pair, positive("quantity", lots ?? 0n));
  inRange(isBuy ? "total" : "quantity", units);
  const quantity = isBuy ? plain(units, pair.quotePrecision) : plainLots(pair, lots);
  const payload = { symbol: base, quote, quantity };
  if (worst !== null) payload.price = plainPrice(pair, positive("price", worst));
  const amount = isBuy ? `${brief(grouped(quantity))} ${quote}` : `${grouped(quantity)} ${base}`;
  return {
    action: isBuy ? "marketBuy" : "marketSell",
    payload: settled(payload, settle),
    title: words.marketOrder(side, base, amount),
    sentence: words.marketSentence({
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
  if (token.chain !== "hive-engine") throw new IntentError("deposit", words.noCoinInArray(symbol));
  inRange("quantity", positive("quantity", units));
  const quantity = plain(units, token.precision);
  const text = `${brief(grouped(quantity))} ${symbol}`;
  return {
    contract: "tokens",
    action: "transfer",
    payload: { symbol, to: token.escrow, quantity },
    title: words.deposit(text),
    sentence: words.depositSentence(text, token.escrow),
    about: { symbol, quantity },
  };
}

function settled(payload, settle) {
  return settle === "wallet" ? { ...payload, settle } : payload;
}

/** One custom_json of the parts in their order; each action of ours carries the same ref. */
function custom(venue, account, parts) {
  const ref = newRef();
  if (parts.length > MAX_ACTIONS) throw new IntentError("", words.tooMany(MAX_ACTIONS));
  const elements = parts.map(({ contract, action, payload }) => ({
    contractName: contract ?? venue.contract,
    contractAction: action,
    contractPayload: contract ? payload : { ...payload, ref },
  }));
  const json = JSON.stringify(elements.length === 1 ? elements[0] : elements);
  if (jsonBytes(json) > MAX_JSON_BYTES) throw new IntentError("memo", words.tooLong(MAX_JSON_BYTES));
  const last = parts[parts.length - 1];
  return {
    ref,
    account: signer(account),
    kind: "custom_json",
    action: last.contract ? "deposit" : last.action,
    title: last.title,
    message: `${venue.name}: ${parts.map((part) => part.sentence).join(words.and)}`,
    about: last.about,
    elements,
    id: venue.custom_json_id,
    json,
  };
}

/**
 * The same draft once more, under a ref of its own.
 * @param {Draft} draft
 * @returns {Draft}
 */
export function again(draft) {
  const ref = newRef();
  if (draft.kind === "transfer") return { ...draft, ref };
  const elements = draft.elements.map((element) => {
    const payload = element.contractPayload;
    return { ...element, contractPayload: "ref" in payload ? { ...payload, ref } : payload };
  });
  return { ...draft, ref, elements, json: JSON.stringify(elements.length === 1 ? elements[0] : elements) };
}

/** @param {string} text */
export const jsonBytes = (text) => new TextEncoder().encode(text).length;

// -- checks ------------------------------------------------------------------------------------------------------

function signer(account) {
  if (!isAccount(account)) throw new IntentError("account", words.account);
  return account;
}

function openPair(venue, base, quote) {
  const pair = market(venue, base, quote);
  if (!pair) throw new IntentError("pair", words.noPair(`${base}/${quote}`));
  if (pair.status !== "active") throw new IntentError("pair", words.pairStatus(`${base}/${quote}`, pair.status));
  return pair;
}

function tokenOf(venue, symbol) {
  const token = venue.tokens.find((row) => row.symbol === symbol);
  if (!token) throw new IntentError("symbol", words.noToken(symbol));
  return token;
}

function positive(field, value) {
  if (value <= 0n) throw new IntentError(field, words.zero);
  return value;
}

function inRange(field, value) {
  if (value > MAX_UNITS) throw new IntentError(field, words.range);
  return value;
}

function lifetime(venue, seconds) {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > venue.order_lifetime) {
    throw new IntentError("expiration", words.lifetime(venue.order_lifetime));
  }
  return seconds;
}

function recipient(venue, name) {
  if (!isAccount(name)) throw new IntentError("to", words.account);
  if (venue.tokens.some((token) => token.escrow === name)) throw new IntentError("to", words.escrow(name));
  return name;
}

function checkedMemo(memo, chain) {
  if (chain === "hive" && /^[{[]/.test(memo)) throw new IntentError("memo", words.memoRuns);
  const letters = [...memo];
  const control = letters.some((letter) => letter < " " || letter === "\u007f" || /^[\ud800-\udfff]$/.test(letter));
  if (letters.length > MAX_MEMO || control) throw new IntentError("memo", words.memo(MAX_MEMO));
  return memo;
}

function orderId(id) {
  if (!ID.test(id)) throw new IntentError("order", words.orderId);
  return id;
}

function orderText(order) {
  return words.orderText(order.side, `${grouped(order.quantity)} ${order.base}`, `${grouped(order.price)} ${order.quote}`);
}

function leftText(order) {
  return order.remaining === order.quantity ? "" : grouped(order.remaining);
}
