// Parts of a custom_json that make an order or a deposit: each is an action with its title and sentence. Pure.

import {
  baseUnits, grouped, plain, plainLots, plainPrice, show, showLots, showPrice, total, trimmed,
} from "../lib/amounts.js";
import { intents as strings } from "../strings/intents.js";
import { IntentError, activePair, checkLifetime, checkPositive, checkRange, tokenOf } from "./intent-checks.js";

/** @typedef {{contract?: string, action: string, payload: any, title: string, sentence: string,
 *   about: Record<string, any>}} Part
 */

/**
 * A limit order, or with a trigger a stop that becomes one. For the parameters see `limitOrder` in intents.js.
 * @returns {Part}
 */
export function limitPart(venue, order) {
  const { side, base, quote, lots, ticks, expiration, timeInForce = "GTC", postOnly = false, settle, trigger, protect } = order;
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
  if (protect && (trigger || settle === "wallet" || timeInForce !== "GTC")) throw new IntentError("stop", strings.protectConflict);
  if (protect) Object.assign(payload, protectPayload(pair, side, protect));
  const amount = `${showLots(pair, lots)} ${base}`;
  const expires = strings.expires(expiration ?? venue.order_lifetime);
  const ends = timeInForce === "GTC" ? expires : strings.timeInForce[timeInForce];
  const sentence = strings.limitSentence({
    side,
    amount,
    price: `${showPrice(pair, ticks)} ${quote}`,
    total: `${trimmed(show(cost, pair.quotePrecision))} ${quote}`,
    ends: trigger && timeInForce !== "GTC" ? `${ends}, ${expires}` : ends,
    postOnly,
    wallet: settle === "wallet",
  });
  return triggered(pair, trigger, {
    action: side,
    payload: settled(payload, settle),
    title: strings.order(side, amount, showPrice(pair, ticks)),
    sentence: protect ? strings.protected(sentence, protectText(pair, side, protect)) : sentence,
    about: { side, type: "limit", base, quote, quantity, price },
  });
}

/**
 * A market order, or with a trigger a stop that becomes one. For the parameters see `marketOrder` in intents.js.
 * @returns {Part}
 */
export function marketPart(venue, { side, base, quote, lots, budget, worst, settle, trigger, expiration, slippageBps }) {
  const pair = activePair(venue, base, quote);
  const isBuy = side === "buy";
  const units = isBuy ? checkPositive("total", budget ?? 0n) : baseUnits(pair, checkPositive("quantity", lots ?? 0n));
  checkRange(isBuy ? "total" : "quantity", units);
  const quantity = isBuy ? plain(units, pair.quotePrecision) : plainLots(pair, lots);
  const payload = { symbol: base, quote, quantity, maxFeeBps: pair.takerFeeBps };
  if (trigger && worst === null) throw new IntentError("price", strings.worstRequired);
  if (worst !== null) payload.price = plainPrice(pair, checkPositive("price", worst));
  if (trigger && expiration !== undefined) payload.expiration = checkLifetime(venue, expiration);
  const amount = isBuy ? `${trimmed(grouped(quantity))} ${quote}` : `${grouped(quantity)} ${base}`;
  const sentence = strings.marketSentence({
    side,
    base,
    quote,
    amount,
    worst: worst === null ? null : `${showPrice(pair, worst)} ${quote}`,
    wallet: settle === "wallet",
  });
  return triggered(pair, trigger, {
    action: isBuy ? "marketBuy" : "marketSell",
    payload: settled(payload, settle),
    title: strings.marketOrder(side, base, amount),
    sentence: trigger ? `${sentence}, ${strings.expires(expiration ?? venue.order_lifetime)}` : sentence,
    about: { side, type: "market", base, quote, quantity, price: payload.price ?? null, ...(slippageBps === undefined ? {} : { slippageBps }) },
  });
}

/**
 * A deposit of a token, as an action of the sidechain.
 * @param {any} venue
 * @param {{symbol: string, units: bigint}} what
 * @returns {Part}
 */
export function depositPart(venue, { symbol, units }) {
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

/**
 * The keys of a protective stop in a payload.
 * @param {import("../lib/amounts.js").Market} pair
 * @param {"buy"|"sell"} side of the resting order
 * @param {{stopTicks: bigint, limitTicks: bigint}} protect
 */
export function protectPayload(pair, side, { stopTicks, limitTicks }) {
  checkPositive("stop", stopTicks);
  checkPositive("stopLimit", limitTicks);
  if (side === "sell" ? limitTicks > stopTicks : limitTicks < stopTicks) {
    throw new IntentError("stopLimit", strings.worstBeyondStop(side));
  }
  return { stopPrice: plainPrice(pair, stopTicks), stopLimit: plainPrice(pair, limitTicks) };
}

/** What a protective stop does, for the sentence. */
export const protectText = (pair, side, { stopTicks, limitTicks }) =>
  strings.protectSentence(side, `${showPrice(pair, stopTicks)} ${pair.quote}`, `${showPrice(pair, limitTicks)} ${pair.quote}`);

// A trigger makes a stop of an order.
function triggered(pair, trigger, part) {
  if (!trigger) return part;
  const { ticks, when } = trigger;
  if (part.payload.settle) throw new IntentError("trigger", strings.stopFromWallet);
  const triggerPrice = plainPrice(pair, checkPositive("trigger", ticks));
  const text = `${grouped(triggerPrice)} ${pair.quote}`;
  return {
    ...part,
    payload: { ...part.payload, triggerPrice, triggerWhen: when },
    title: strings.stop(part.title, strings.condition(when, grouped(triggerPrice))),
    sentence: strings.stopSentence(when, text, part.sentence),
    about: { ...part.about, triggerPrice, triggerWhen: when },
  };
}

function settled(payload, settle) {
  return settle === "wallet" ? { ...payload, settle } : payload;
}
