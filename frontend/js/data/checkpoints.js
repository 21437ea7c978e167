// Checkpoints: the journal hashes that the operator published on Hive (docs/protocol.md, section 9), read from the
// account history of Hive nodes.

import { config } from "../../config.js";
import { local, localJson } from "../lib/storage.js";
import { callNode, hiveNodes } from "./nodes.js";
import { pins } from "./pins.js";

const KEY = "peakedex.checkpoints";
const MAX_AGE_MS = 600_000;
const MAX_OPERATIONS = 100;
const CUSTOM_JSON_FILTER = 2 ** 18; // custom_json is operation 18
const HASH = /^[0-9a-f]{64}$/;

/** @typedef {{block: number, hash: string, account: string, txId: string}} Checkpoint */
/** @typedef {{node: string, ts: number, checkpoints: Checkpoint[]}} Reading `ts`: milliseconds since 1970 */

/**
 * The newest checkpoints, from the first Hive node that answers; null if none does. Read at most every ten minutes.
 * @param {any} venue the body of /api/venue
 * @returns {Promise<Reading|null>}
 */
export async function readCheckpoints(venue) {
  const kept = localJson(KEY);
  const isFresh = kept?.venue === venue.venue_hash && Math.abs(Date.now() - kept.ts) < MAX_AGE_MS;
  if (isFresh && Array.isArray(kept.checkpoints) && kept.checkpoints.every(isCheckpoint)) return kept;
  const reading = await firstReading(venue, await nodes());
  if (reading) local.setItem(KEY, JSON.stringify({ venue: venue.venue_hash, ...reading }));
  return reading;
}

/**
 * The newest checkpoints from another node than that of a reading, or the same one if there is no other; null if none
 * answers.
 * @param {any} venue
 * @param {string} node
 * @returns {Promise<Reading|null>}
 */
export async function readAgain(venue, node) {
  local.removeItem(KEY);
  const all = await nodes();
  const others = all.filter((one) => one !== node);
  return firstReading(venue, others.length ? others : all);
}

// A pinned page asks the nodes of its configuration, whatever network the API says it is on.
const nodes = async () => (pins ? config.hiveNodes : hiveNodes());

async function firstReading(venue, urls) {
  for (const node of urls) {
    try {
      const accounts = new Set(pins ? pins.checkpointAccounts : [venue.checkpoint_account, venue.operator]);
      const found = await Promise.all([...accounts].map((account) => readAccount(node, account, venue)));
      const checkpoints = found.flat().sort((one, other) => other.block - one.block);
      return { node, ts: Date.now(), checkpoints };
    } catch {
      // try the next node
    }
  }
  return null;
}

async function readAccount(node, account, venue) {
  const history = await callNode(node, "condenser_api.get_account_history", [account, -1, MAX_OPERATIONS, CUSTOM_JSON_FILTER]);
  return history.flatMap(([, { op: [name, operation], trx_id: txId }]) => {
    const isOurs = name === "custom_json" && operation.id === venue.custom_json_id && operation.required_auths[0] === account;
    return (isOurs ? actionsOf(operation.json) : [])
      .filter((action) => action?.contractName === venue.contract && action.contractAction === "checkpoint")
      .map(({ contractPayload: payload }) => ({ block: payload?.block, hash: payload?.journalHash, account, txId }))
      .filter(isCheckpoint);
  });
}

function actionsOf(text) {
  try {
    return [JSON.parse(text)].flat();
  } catch {
    return []; // what an account publishes need not be JSON
  }
}

const isCheckpoint = (found) => Number.isSafeInteger(found?.block) && found.block >= 0 && HASH.test(found.hash);
