// Finds out from the API what the exchange decided about an intent. Intents are found by their client reference; a
// deposit has none, and is found by its transaction or by its amount.

import { read } from "../data/api.js";
import { grouped, trimmed } from "../lib/amounts.js";

const MAX_DEPOSITS = 50;
const WITHOUT_ORDER = { cancel: "cancelled", cancelAll: "cancelled", withdraw: "accepted", cancelWithdrawal: "returning" };
const ARRIVED = { credited: "credited", ignored: "ignored" };

/**
 * @typedef {{filled: string, quantity: string, average: string, received: string, fee: string}} Fill
 * What an order traded, as text with tokens: `filled` of `quantity`, the average price, and what was received after the
 * fee.
 * @typedef {{outcome: string, code: string|null, txId: string, block: number, fill: Fill|null, deposit: string|null}} Outcome
 * `deposit`: of an intent that deposits first, whether that arrived: "credited" or "refused".
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
  const deposit = intent.draft.about.deposit ? await depositWith(intent.account, transactionOf(row.id)) : null;
  if (row.status === "rejected") return outcome("rejected", row, { code: row.code, deposit });
  if (!row.order) return outcome(WITHOUT_ORDER[intent.action] ?? "done", row);
  const { order } = await read(`orders/${row.order}`);
  return outcome(orderOutcome(order), row, { fill: fillOf(order), deposit });
}

function orderOutcome(order) {
  const isUnfilled = isZero(order.filled);
  if (order.status === "open") return isUnfilled ? "open" : "partly_filled";
  if (order.status === "filled" || order.status === "waiting") return order.status;
  return isUnfilled ? order.status : "partly_done"; // a market order that ran out of liquidity, for example
}

const isZero = (text) => /^0(?:\.0*)?$/.test(text);

/**
 * @param {any} order a row of /api/orders
 * @returns {Fill|null} null if it has not traded
 */
export function fillOf(order) {
  if (isZero(order.filled)) return null;
  const amount = (text, symbol) => `${trimmed(grouped(text))} ${symbol}`;
  return {
    filled: trimmed(grouped(order.filled)),
    quantity: amount(order.quantity, order.quantity_symbol),
    average: amount(order.average_price ?? order.price, order.quote),
    received: amount(order.received, order.gets),
    fee: amount(order.fees, order.gets),
  };
}

async function readDeposits(account) {
  const { deposits } = await read("deposits", { user: account, limit: MAX_DEPOSITS });
  return deposits;
}

// The deposit and the order are of one transaction: once the exchange has decided the order, it knows of the deposit.
async function depositWith(account, txId) {
  const row = (await readDeposits(account)).find(({ id }) => transactionOf(id) === txId);
  return row && ARRIVED[row.status] === "credited" ? "credited" : "refused";
}

async function depositOutcome(intent, taken) {
  const { symbol, quantity } = intent.draft.about;
  const isSame = (row) => transactionOf(row.id) === intent.txId;
  const isAlike = (row) => row.symbol === symbol && row.amount === quantity && !taken.has(transactionOf(row.id))
    && (intent.sinceBlock === null || row.block > intent.sinceBlock);
  const row = (await readDeposits(intent.account)).find(intent.txId ? isSame : isAlike);
  return row ? outcome(ARRIVED[row.status] ?? "refund_due", row) : null;
}

const transactionOf = (id) => id.slice(0, 40);

function outcome(name, row, more = {}) {
  return { outcome: name, code: null, txId: transactionOf(row.id), block: row.block, fill: null, deposit: null, ...more };
}
