// Whether a grant covers a draft: the rules of docs/protocol.md, section 6, in the order in which the exchange tests
// them. Pure: all facts are passed in.

import { leftToday } from "../data/grants.js";
import { baseUnits, grouped, lotsOf, market, plain, total, trimmed, units } from "../lib/amounts.js";
import { coverage as strings } from "../strings/one-click.js";

const BPS = 10_000n;
const ORDERS = new Set(["buy", "sell", "marketBuy", "marketSell"]);
const ACTIONS = new Set([...ORDERS, "replace", "cancel", "cancelAll", "cancelAllAfter"]);
const STOPS = ["triggerPrice", "triggerWhen", "stopPrice", "stopLimit"];

/**
 * What is known when a draft is checked. `marks`: of `readMarks`. `order`: the one that the draft names. `open`:
 * open orders and waiting stops of the account, for a `cancelAll`. `ts`: of the grant's answer. `pending`: units by
 * symbol that undecided intents will count.
 * @typedef {{marks: Map<string, import("../data/marks.js").Mark>, order: any|null, open: any[], ts: string|null, pending: Record<string, bigint>}} Facts
 */

/** Whether one-click trading is about such drafts at all: no deposits, withdrawals, grants or revokes. */
export const isTrading = (draft) => ACTIONS.has(draft.action);

/** The only action of a draft; null if it has several. */
const actionOf = (draft) => (draft.elements?.length === 1 ? draft.elements[0] : null);

/** The payload of a draft that has one action for the venue; null otherwise. */
export const payloadOf = (draft) => actionOf(draft)?.contractPayload ?? null;

/**
 * Why a grant does not cover a draft: a sentence that begins in lower case; "" if it does.
 * @param {any} venue the body of /api/venue
 * @param {import("./intents.js").Draft} draft whose action is one of trading
 * @param {any|null} grant a row of /api/grants
 * @param {Facts} facts
 */
export function whyNotCovered(venue, draft, grant, facts) {
  const payload = payloadOf(draft);
  if (!grant) return strings.ended;
  if (!payload) return "deposit" in (draft.about ?? {}) ? strings.fromWallet : strings.mixed;
  if (draft.action === "cancelAllAfter") return "";
  if (draft.action === "cancelAll") return facts.open.every((order) => isReachable(grant, order)) ? "" : strings.someOrders;
  if (draft.action === "cancel") return whyUnreachable(grant, facts.order);
  return whyNoOrder(venue, draft.action, payload, grant, facts);
}

function whyUnreachable(grant, order) {
  if (!order || (order.status !== "open" && order.status !== "waiting")) return strings.gone;
  if (order.status === "waiting") return strings.stop;
  if (!hasPair(grant, order)) return strings.pair(`${order.base}/${order.quote}`);
  return order.stop_price === null ? "" : strings.protectedOrder;
}

const isReachable = (grant, order) => whyUnreachable(grant, order) === "";

const hasPair = (grant, { base, quote }) => grant.pairs.some((pair) => pair.base === base && pair.quote === quote);

function whyNoOrder(venue, action, payload, grant, facts) {
  const isReplace = action === "replace";
  if (STOPS.some((key) => key in payload)) return strings.stop;
  if ("settle" in payload) return strings.fromWallet;
  if (!isReplace && !("price" in payload)) return strings.noWorstPrice;
  if (isReplace) {
    const why = whyUnreachable(grant, facts.order);
    if (why) return why;
    if (facts.order.settle === "wallet") return strings.fromWallet;
  }
  const { base, quote } = isReplace ? facts.order : { base: payload.symbol, quote: payload.quote };
  const name = `${base}/${quote}`;
  const pair = market(venue, base, quote);
  if (!pair || !hasPair(grant, { base, quote })) return strings.pair(name);
  return whyOutsideBand(pair, action, payload, grant, facts) || whyAboveAllowance(venue, action, payload, grant, facts);
}

function whyOutsideBand(pair, action, payload, grant, { marks, order }) {
  const mark = marks.get(`${pair.base}/${pair.quote}`);
  if (!mark) return strings.noMark(`${pair.base}/${pair.quote}`);
  const isBuy = action === "replace" ? order.side === "buy" : action === "buy" || action === "marketBuy";
  const ticks = units(payload.price ?? order.price, pair.priceDecimals);
  const value = total(pair, ticks, lotsOf(pair, mark.base)) * BPS;
  const band = BigInt(grant.band_bps);
  const isInside = isBuy ? value <= mark.quote * (BPS + band) : value >= mark.quote * (BPS - band);
  return isInside ? "" : strings.band(grant.band_bps / 100, grouped(mark.text));
}

function whyAboveAllowance(venue, action, payload, grant, { order, ts, pending }) {
  const { symbol, units: counted } = counts(venue, action, payload, order);
  const allowance = grant.allowances.find((row) => row.symbol === symbol);
  if (counted === 0n) return "";
  if (!allowance) return strings.noAllowance(symbol);
  const { precision } = venue.tokens.find((token) => token.symbol === symbol);
  const left = leftToday(allowance, ts, precision) - (pending[symbol] ?? 0n);
  if (counted <= left) return "";
  const show = (amount) => trimmed(grouped(plain(amount > 0n ? amount : 0n, precision)));
  return strings.allowance(show(left), show(units(allowance.per_day, precision)), symbol);
}

/**
 * What an order or replace counts against the allowance.
 * @param {any} venue
 * @param {string} action
 * @param {any} payload
 * @param {any|null} order the one to replace
 * @returns {{symbol: string, units: bigint}}
 */
export function counts(venue, action, payload, order) {
  if (action === "replace") return replaceCounts(venue, payload, order);
  const pair = market(venue, payload.symbol, payload.quote);
  if (action === "marketBuy") return { symbol: pair.quote, units: units(payload.quantity, pair.quotePrecision) };
  const lots = units(payload.quantity, pair.quantityDecimals);
  if (action !== "buy") return { symbol: pair.base, units: baseUnits(pair, lots) };
  return { symbol: pair.quote, units: total(pair, units(payload.price, pair.priceDecimals), lots) };
}

// At a price that is not worse for the account only what is locked above the old order's lock counts.
function replaceCounts(venue, payload, order) {
  const pair = market(venue, order.base, order.quote);
  const isBuy = order.side === "buy";
  const before = units(order.price, pair.priceDecimals);
  const ticks = payload.price === undefined ? before : units(payload.price, pair.priceDecimals);
  const lots = payload.quantity === undefined
    ? lotsOf(pair, units(order.remaining, pair.basePrecision))
    : units(payload.quantity, pair.quantityDecimals);
  const lock = isBuy ? total(pair, ticks, lots) : baseUnits(pair, lots);
  const held = units(order.locked, isBuy ? pair.quotePrecision : pair.basePrecision);
  const isNotWorse = isBuy ? ticks <= before : ticks >= before;
  const added = lock > held ? lock - held : 0n;
  return { symbol: isBuy ? pair.quote : pair.base, units: isNotWorse ? added : lock };
}
