// Terms of orders as they were signed, for what the API cannot tell: a rejected order's pair, price and amount, and
// whether an open one is post-only. They come from the intents of this browser, or from a Hive node: for the first
// rejected orders of a page by themselves, for the others on demand.

import { readVenue } from "../data/api.js";
import { callHive } from "../data/nodes.js";
import { local, localJson } from "../lib/storage.js";
import { onChange } from "../wallet/pending.js";

const KEY = "peakedex.signed";
const MAX_KEPT = 200;
const MAX_TEXT = 40;
const MAX_AUTOMATIC = 100; // requests to public nodes that nobody asked for, one after the other
const DECIMAL = /^\d{1,19}(\.\d{1,18})?$/;
const SYMBOL = /^[A-Z]{1,10}(\.[A-Z]{1,10})?$/;
const SIDES = { buy: "buy", sell: "sell", marketBuy: "buy", marketSell: "sell" };

/** @type {Map<string, any>} terms by account and ref, of orders that this browser signed; the oldest first */
const kept = new Map(entries(localJson(KEY)));
/** @type {Map<string, any>} terms by id, read from a node; or "reading", "failed" */
const read = new Map();

// What another program wrote there is discarded.
function entries(stored) {
  const isEntry = (entry) => Array.isArray(entry) && typeof entry[0] === "string" && isTerms(entry[1]);
  return Array.isArray(stored) ? stored.filter(isEntry) : [];
}

function isTerms(terms) {
  const isText = (value) => value === null || typeof value === "string";
  return Boolean(terms) && (terms.side === null || terms.side === "buy" || terms.side === "sell")
    && [terms.base, terms.quote, terms.price, terms.quantity].every(isText);
}

/**
 * Terms of an action in the form of a row of /api/orders; what is missing or malformed is null.
 * @param {string} action
 * @param {any} payload
 * @returns {any} null if it places no order
 */
export function termsOf(action, payload) {
  const isReplace = action === "replace";
  if (!SIDES[action] && !isReplace) return null;
  const isMarket = action.startsWith("market");
  const base = match(SYMBOL, payload.symbol);
  const quote = isReplace ? null : match(SYMBOL, payload.quote ?? "SWAP.HIVE");
  const trigger = match(DECIMAL, payload.triggerPrice);
  return {
    base,
    quote,
    side: SIDES[action] ?? null,
    type: isMarket ? "market" : "limit",
    price: match(DECIMAL, payload.price),
    quantity: match(DECIMAL, payload.quantity),
    quantity_symbol: (action === "marketBuy" ? quote : base) ?? "",
    trigger_price: trigger,
    trigger_when: trigger && payload.triggerWhen,
    post_only: payload.postOnly === true,
  };
}

// JSON numbers are allowed too.
function match(pattern, value) {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.length <= MAX_TEXT && pattern.test(text) ? text : null;
}

/**
 * @param {() => void} onNews called when there are new terms to show
 * @returns {import("./order-tables.js").Signed}
 */
export function signedOrders(onNews) {
  onChange((intents) => {
    if (keep(intents)) onNews();
  });
  const automatic = new Set();
  let reading = Promise.resolve();
  return {
    seen(order) {
      if (automatic.size === MAX_AUTOMATIC || automatic.has(order.id)) return;
      automatic.add(order.id);
      reading = reading.then(() => readTerms(order)).then(() => {
        if (read.get(order.id) === "failed") read.delete(order.id); // the trader can still ask for it
        onNews();
      });
    },
    of: ({ id, user, ref }) => kept.get(`${user} ${ref}`) ?? (typeof read.get(id) === "object" ? read.get(id) : null),
    state: (order) => (typeof read.get(order.id) === "string" ? read.get(order.id) : ""),
    read: (order) => readTerms(order).then(onNews),
  };
}

// They outlive the intents, which are removed when their notification is dismissed.
function keep(intents) {
  const before = kept.size;
  for (const { ref, account, draft } of [...intents].reverse()) {
    const key = `${account} ${ref}`;
    const element = draft.elements?.at(-1);
    const terms = element && !kept.has(key) && termsOf(element.contractAction, element.contractPayload);
    if (!terms) continue;
    const { base, quote, side } = draft.about; // a replace names its order only
    kept.set(key, element.contractAction === "replace" ? { ...terms, base, quote, side, quantity_symbol: base } : terms);
  }
  if (kept.size === before) return false;
  for (const key of [...kept.keys()].slice(0, -MAX_KEPT)) kept.delete(key);
  local.setItem(KEY, JSON.stringify([...kept]));
  return true;
}

/** Read the terms of a rejected order from the chain. */
async function readTerms({ id }) {
  if (typeof read.get(id) === "object" || read.get(id) === "reading") return;
  read.set(id, "reading");
  const found = await Promise.all([readVenue(), callHive("condenser_api.get_transaction", [id.slice(0, 40)])]).catch(() => null);
  const [venue, transaction] = found ?? [];
  read.set(id, (venue && decode(id, transaction, venue.custom_json_id, venue.contract)) ?? "failed");
}

/**
 * The terms in a transaction as a Hive node gives it: of the operation and array element that the id names.
 * @param {string} id `<transaction>[-<operation>][-<element>]`, as in docs/protocol.md, section 4
 * @param {any} transaction
 * @param {string} jsonId
 * @param {string} contract
 */
export function decode(id, transaction, jsonId, contract) {
  try {
    const places = id.slice(41).split("-").filter(Boolean).map(Number);
    const { operations } = transaction;
    const [name, { id: customId, json }] = operations[operations.length > 1 ? places.shift() : 0];
    if (name !== "custom_json" || customId !== jsonId) return null;
    const content = JSON.parse(json);
    const elements = Array.isArray(content) ? content : [content];
    const element = elements[elements.length > 1 ? places.shift() : 0];
    if (element.contractName === contract) return termsOf(element.contractAction, element.contractPayload);
    if (element.contractName !== undefined) return null;
    return termsOf(element.side, { ...element, symbol: element.base, quantity: element.amount });
  } catch {
    return null; // not the transaction, or not an order
  }
}
