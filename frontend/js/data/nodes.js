// JSON-RPC client of Hive and Hive-Engine nodes, for what the API does not know: whether a transaction is in a block
// yet, and wallet balances. All of it is optional: without an answer the page works on.

import { config } from "../../config.js";
import { apiUrl, readVenue } from "./api.js";

const TIMEOUT_MS = 5000;
const INCLUDED = new Set(["within_reversible_block", "within_irreversible_block"]);

/**
 * The number of the block that includes the transaction; null if no node knows of one.
 * @param {string} txId
 * @returns {Promise<number|null>}
 */
export async function findBlock(txId) {
  const calls = (await hiveNodes()).map(async (node) => {
    const { status, block_num: number } = await callNode(node, "transaction_status_api.find_transaction", { transaction_id: txId });
    return INCLUDED.has(status) && Number.isSafeInteger(number) ? number : null;
  });
  const results = await Promise.allSettled(calls);
  return results.map((result) => result.value ?? null).find((number) => number !== null) ?? null;
}

/**
 * Call Hive nodes in turn until one answers; null if none does.
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<any>}
 */
export async function callHive(method, params) {
  return firstAnswer(await hiveNodes(), method, params);
}

/**
 * Call the contracts API of Hive-Engine nodes in turn until one answers; null if none does.
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<any>}
 */
export async function callHiveEngine(method, params) {
  return firstAnswer(await nodesFor("devnet/engine", config.engineNodes), method, params);
}

async function firstAnswer(nodes, method, params) {
  for (const node of nodes) {
    try {
      return await callNode(node, method, params);
    } catch {
      // try the next node
    }
  }
  return null;
}

/** Addresses of the Hive nodes. @returns {Promise<string[]>} */
export const hiveNodes = () => nodesFor("devnet/rpc", config.hiveNodes);

// A devnet has nodes of its own behind the API.
async function nodesFor(devnetPath, publicNodes) {
  try {
    const { network } = await readVenue();
    return network === "devnet" ? [apiUrl(devnetPath)] : publicNodes;
  } catch {
    return [];
  }
}

/**
 * Call a node.
 * @param {string} node
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<any>}
 * @throws {Error}
 */
export async function callNode(node, method, params) {
  const response = await fetch(node, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    credentials: "omit",
  });
  const { result } = await response.json();
  if (result === undefined) throw new Error("no result");
  return result;
}
