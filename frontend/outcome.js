// What became of an intent, by the API alone. It is found by the trader's own reference, whether or not the wallet
// told the transaction's id; a deposit carries none, and is found by its transaction or by what it moved.

import { read } from "./api.js";

const NEWEST = 50;

/**
 * @typedef {{outcome: string, code: string|null, txId: string, block: number, order: any}} Outcome
 */

/**
 * The outcome of an intent; null while it is not decided.
 * @param {import("./pending.js").Intent} intent
 * @param {Set<string>} taken transactions of other intents
 * @returns {Promise<Outcome|null>}
 */
export async function outcomeOf(intent, taken) {
  if (intent.action === "deposit") return deposited(intent, taken);
  const { intents } = await read("intents", { user: intent.account, ref: intent.ref });
  return intents.length > 0 ? decided(intent, intents[0]) : null;
}

async function decided(intent, row) {
  if (row.status === "rejected") return { ...end("rejected", row), code: row.code };
  if (!row.order) return end(intent.action === "withdraw" ? "accepted" : "cancelled", row);
  const { order } = await read(`orders/${row.order}`);
  return end(orderOutcome(order), row, order);
}

function orderOutcome(order) {
  if (order.status === "open") return isZero(order.filled) ? "open" : "partly_filled";
  if (order.status === "filled") return "filled";
  return isZero(order.filled) ? order.status : "partly_done"; // a market order that the book ended, say
}

const isZero = (text) => /^0(?:\.0*)?$/.test(text);

async function deposited(intent, taken) {
  const { symbol, quantity } = intent.draft.about;
  const { deposits } = await read("deposits", { user: intent.account, limit: NEWEST });
  const isAlike = (row) => row.symbol === symbol && row.amount === quantity && !taken.has(transactionOf(row.id))
    && (intent.sinceBlock === null || row.block > intent.sinceBlock);
  const row = deposits.find(intent.txId ? (one) => transactionOf(one.id) === intent.txId : isAlike);
  return row ? end(row.status === "credited" ? "credited" : "refund_due", row) : null;
}

const transactionOf = (id) => id.slice(0, 40);

function end(outcome, row, order = null) {
  return { outcome, code: null, txId: transactionOf(row.id), block: row.block, order };
}
