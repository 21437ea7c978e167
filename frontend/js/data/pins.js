// The venue as config.js pins it. What an API says, and what is signed, must agree with it.

import { config } from "../../config.js";
import { integrity as strings } from "../strings/integrity.js";

/**
 * @typedef {{venueHash: string, contract: string, customJsonId: string, checkpointAccounts: string[],
 *   escrows: Record<string, string>}} Pins `escrows`: the account of each token of the venue file
 */

/** More escrow accounts are counted, and not named. */
const MAX_NAMED = 2;

/** @type {Pins|null} */
export const pins = config.pins;

/**
 * What an API's venue has different from the pinned one: a sentence for each kind of difference.
 * @param {string} api
 * @param {any} venue the body of /api/venue
 * @returns {string[]}
 */
export function pinMismatches(api, venue) {
  if (!pins) return [];
  const found = [];
  if (venue.venue_hash !== pins.venueHash) found.push(strings.otherVenue(api));
  if (venue.contract !== pins.contract || venue.custom_json_id !== pins.customJsonId) found.push(strings.otherContract(api));
  const others = venue.tokens.filter(({ symbol, escrow }) => !isEscrowOf(symbol, escrow));
  const named = others.slice(0, MAX_NAMED).map(({ symbol, escrow }) => strings.escrow(String(escrow), String(symbol)));
  if (others.length) found.push(strings.otherEscrows(api, named, others.length - named.length));
  return found;
}

/** Whether deposits of the token may go to the account. A token listed later uses one of the same accounts. */
function isEscrowOf(symbol, account) {
  const accounts = Object.entries(pins?.escrows ?? {});
  const own = accounts.find(([listed]) => listed === symbol);
  return own ? own[1] === account : accounts.some(([, escrow]) => escrow === account);
}

/**
 * Why a draft must not be signed, as a sentence: it pays to an account that is not pinned, or is for another contract.
 * @param {{kind: string, id?: string, json?: string, to?: string, symbol?: string}} draft
 * @returns {string} empty if there is no reason
 */
export function draftMismatch(draft) {
  if (!pins) return "";
  if (draft.kind === "transfer") return isEscrowOf(draft.symbol, draft.to) ? "" : strings.payee(String(draft.to));
  if (draft.id !== pins.customJsonId) return strings.contract(String(draft.id));
  const actions = JSON.parse(draft.json ?? "null");
  for (const { contractName, contractAction, contractPayload } of Array.isArray(actions) ? actions : [actions]) {
    if (contractName === pins.contract) continue;
    if (contractName !== "tokens" || contractAction !== "transfer") return strings.contract(String(contractName));
    if (!isEscrowOf(contractPayload.symbol, contractPayload.to)) return strings.payee(String(contractPayload.to));
  }
  return "";
}
