// Builds a draft anew from the parameters of an earlier intent, with what the exchange says now: its pairs, fees and
// prices, and the order or withdrawal that it is about. Parameters come from storage: each is validated as user input.

import { read } from "../data/api.js";
import { ApiError } from "../lib/api-protocol.js";
import { units, worstPrice } from "../lib/amounts.js";
import { rebuild as strings } from "../strings/wallet.js";
import { activePair, IntentError, tokenOf } from "./intent-checks.js";
import { cancel, cancelAll, cancelWithdrawal, deposit, limitOrder, marketOrder, oneSignature, replace, withdraw } from "./intents.js";

const DEFAULT_SLIPPAGE_BPS = 100;
const MAX_WITHDRAWALS = 100;

const BUILDERS = {
  buy: buildLimit,
  sell: buildLimit,
  marketBuy: buildMarket,
  marketSell: buildMarket,
  cancel: async (venue, account, { id }) => cancel(venue, account, await openOrder(id)),
  cancelAll: (venue, account, { symbol, quote }) => cancelAll(venue, account, { base: symbol, quote }),
  replace: buildReplace,
  withdraw: buildWithdrawal,
  cancelWithdrawal: async (venue, account, { id }) => cancelWithdrawal(venue, account, await withdrawal(account, id)),
  deposit: (venue, account, { symbol, quantity }) =>
    deposit(venue, account, { symbol, units: units(quantity, tokenOf(venue, symbol).precision) }),
};

/** Whether the intent can be built anew. @param {import("./pending.js").Intent} intent */
export const canRebuild = ({ action }) => Object.hasOwn(BUILDERS, action);

/**
 * @param {import("./pending.js").Intent} intent
 * @returns {Promise<import("./intents.js").Draft>}
 * @throws {IntentError|ApiError} if it is not possible any more
 */
export async function rebuild({ account, action, draft }) {
  const venue = await read("venue"); // anew: a fee may have changed
  const payload = draft.kind === "transfer" ? { symbol: draft.symbol, quantity: draft.amount } : draft.elements.at(-1).contractPayload;
  try {
    return await BUILDERS[action](venue, account, payload, action, draft.about);
  } catch (error) {
    if (error instanceof IntentError || error instanceof ApiError) throw error;
    throw new IntentError("", strings.garbled); // not what this site stores
  }
}

function buildLimit(venue, account, payload, side, about) {
  const { symbol: base, quote, quantity, price, expiration, timeInForce, postOnly } = payload;
  const pair = activePair(venue, base, quote);
  const order = {
    side, base, quote, expiration, timeInForce, postOnly,
    lots: units(quantity, pair.quantityDecimals),
    ticks: units(price, pair.priceDecimals),
    ...triggerOf(pair, payload),
    ...protectOf(pair, payload),
  };
  return about.deposit ? oneSignature(venue, account, order) : limitOrder(venue, account, settled(order, payload));
}

async function buildMarket(venue, account, payload, action, about) {
  const { symbol: base, quote, quantity, expiration, triggerPrice } = payload;
  const pair = activePair(venue, base, quote);
  const side = action === "marketBuy" ? "buy" : "sell";
  const amount = side === "buy" ? { budget: units(quantity, pair.quotePrecision) } : { lots: units(quantity, pair.quantityDecimals) };
  const worst = triggerPrice === undefined ? await freshWorstPrice(pair, side, about) : units(payload.price, pair.priceDecimals);
  const order = { side, base, quote, ...amount, worst, expiration, ...triggerOf(pair, payload) };
  if (about.deposit) return oneSignature(venue, account, { ...order, market: true });
  return marketOrder(venue, account, settled(order, payload));
}

const settled = (order, { settle }) => (settle === "wallet" ? { ...order, settle } : order);

const triggerOf = (pair, { triggerPrice, triggerWhen }) =>
  (triggerPrice === undefined ? {} : { trigger: { ticks: units(triggerPrice, pair.priceDecimals), when: triggerWhen } });

const protectOf = (pair, { stopPrice, stopLimit }) =>
  (stopPrice === undefined ? {} : { protect: { stopTicks: units(stopPrice, pair.priceDecimals), limitTicks: units(stopLimit, pair.priceDecimals) } });

// As far from the best price of now as the trader allowed, or the site does.
async function freshWorstPrice(pair, side, { slippageBps = DEFAULT_SLIPPAGE_BPS }) {
  const { bids, asks } = await read("orderbook", { base: pair.base, quote: pair.quote, depth: 1 });
  const best = (side === "buy" ? asks : bids)[0];
  if (!best) throw new IntentError("price", strings.noLiquidity);
  return worstPrice(side, units(best.price, pair.priceDecimals), slippageBps);
}

async function buildReplace(venue, account, payload) {
  const order = await openOrder(payload.id);
  const pair = activePair(venue, order.base, order.quote);
  const { quantity, price } = payload;
  return replace(venue, account, order, {
    lots: quantity === undefined ? undefined : units(quantity, pair.quantityDecimals),
    ticks: price === undefined ? undefined : units(price, pair.priceDecimals),
    ...protectOf(pair, payload),
  });
}

function buildWithdrawal(venue, account, { symbol, quantity, to, memo }) {
  const all = quantity === "all";
  return withdraw(venue, account, { symbol, all, to, memo, ...(all ? {} : { units: units(quantity, tokenOf(venue, symbol).precision) }) });
}

async function openOrder(id) {
  const { order } = await read(`orders/${encodeURIComponent(id)}`);
  if (order.status !== "open" && order.status !== "waiting") throw new IntentError("order", strings.notOpen);
  return order;
}

async function withdrawal(account, id) {
  const { withdrawals } = await read("withdrawals", { user: account, limit: MAX_WITHDRAWALS });
  const row = withdrawals.find((one) => one.id === id);
  if (row?.status !== "pending" || row.returning) throw new IntentError("order", strings.notOpen);
  return row;
}
