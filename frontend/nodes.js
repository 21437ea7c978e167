// Nodes of Hive and Hive-Engine, asked what the API does not know: is a transaction in a block yet, what does a
// wallet hold? What they do not answer changes nothing.

import { address, readVenue } from "./api.js";
import { config } from "./config.js";

const GIVE_UP_MS = 5000;
const IN_BLOCK = new Set(["within_reversible_block", "within_irreversible_block"]);

/**
 * The number of the block that holds the transaction, null where no node knows one.
 * @param {string} txId
 * @returns {Promise<number|null>}
 */
export async function inBlock(txId) {
  const numberOf = ({ status, block_num: number }) => (IN_BLOCK.has(status) && Number.isSafeInteger(number) ? number : null);
  const asked = (await hiveNodes()).map((node) => ask(node, "transaction_status_api.find_transaction", { transaction_id: txId }).then(numberOf));
  const answers = await Promise.allSettled(asked);
  return answers.map((answer) => answer.value ?? null).find((number) => number !== null) ?? null;
}

/**
 * What the first Hive node that answers says; null where none does.
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<any>}
 */
export async function hive(method, params) {
  return first(await hiveNodes(), method, params);
}

/**
 * The same of Hive-Engine's contracts.
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<any>}
 */
export async function contracts(method, params) {
  return first(await chosen("devnet/engine", config.engineNodes), method, params);
}

async function first(nodes, method, params) {
  for (const node of nodes) {
    try {
      return await ask(node, method, params);
    } catch {
      // the next one
    }
  }
  return null;
}

const hiveNodes = () => chosen("devnet/rpc", config.hiveNodes);

// A devnet has its own node, behind the API; the public ones know nothing of it.
async function chosen(room, nodes) {
  try {
    const { network } = await readVenue();
    return network === "devnet" ? [address(room)] : nodes;
  } catch {
    return [];
  }
}

async function ask(node, method, params) {
  const response = await fetch(node, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(GIVE_UP_MS),
    credentials: "omit",
  });
  const { result } = await response.json();
  if (result === undefined) throw new Error("no result");
  return result;
}
