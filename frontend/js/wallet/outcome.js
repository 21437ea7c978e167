// Finds out from the API what the exchange decided about an intent. Intents are found by their client reference; a
// deposit has none, and is found by its transaction or by its amount.

import { read } from "../data/api.js";

const MAX_DEPOSITS = 50;
const WITHOUT_ORDER = { withdraw: "accepted", cancelWithdrawal: "returning" };
const ARRIVED = { credited: "credited", ignored: "ignored" };

/**
 * @typedef {{outcome: string, code: string|null, txId: string, block: number, order: any}} Outcome
 */

/**
 * The outcome of an intent; null while it is undecided.
 * @param {import("./pending.js").Intent} intent
 * @param {Set<string>} taken transactions of other intents
 * @returns {Promise<Outcome|null>}
 */
export async function readOutcome(intent, taken) {
  if (intent.action === "deposit") return depositOutcome(intent, taken);
  const { intents } = await read("intents", { user: intent.account, ref: intent.ref });
  const row = intents[0];
  if (!row) return null;
  if (row.status === "rejected") return { ...outcome("rejected", row), code: row.code };
  if (!row.order) return outcome(WITHOUT_ORDER[intent.action] ?? "cancelled", row);
  const { order } = await read(`orders/${row.order}`);
  return outcome(orderOutcome(order), row, order);
}

function orderOutcome(order) {
  const isUnfilled = /^0(?:\.0*)?$/.test(order.filled);
  if (order.status === "open") return isUnfilled ? "open" : "partly_filled";
  if (order.status === "filled") return "filled";
  return isUnfilled ? order.status : "partly_done"; // a market order that ran out of liquidity, for example
}

async function depositOutcome(intent, taken) {
  const { symbol, quantity } = intent.draft.about;
  const { deposits } = await read("deposits", { user: intent.account, limit: MAX_DEPOSITS });
  const isSame = (row) => transactionOf(row.id) === intent.txId;
  const isAlike = (row) => row.symbol === symbol && row.amount === quantity && !taken.has(transactionOf(row.id))
    && (intent.sinceBlock === null || row.block > intent.sinceBlock);
  const row = deposits.find(intent.txId ? isSame : isAlike);
  return row ? outcome(ARRIVED[row.status] ?? "refund_due", row) : null;
}

const transactionOf = (id) => id.slice(0, 40);

function outcome(name, row, order = null) {
  return { outcome: name, code: null, txId: transactionOf(row.id), block: row.block, order };
}
