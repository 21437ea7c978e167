// What an answer of Hive Keychain means: whether the transaction was sent, was not sent, or may have been. Pure.

import { wallet as strings } from "../strings/wallet.js";

const TX_ID = /^[0-9a-f]{40}$/;

/**
 * @typedef {{ok: true, txId: string|null, multisig: boolean}
 *   | {ok: false, reason: Reason, message: string, hint: string}} Answer
 * @typedef {"cancelled"|"malformed"|"refused"|"unsigned"|"unclear"|"too_large"|"missing"|"file"|"silent"|"no_wallet"
 *   |"given_up"|"no_answer"|"removed"|"outdated"|"blocked"} Reason
 * `unclear`: it may be included in a block. `given_up`, `no_answer`: the wallet has not answered, and still may;
 * the user stopped waiting, or the request expired. Every other reason: nothing was sent.
 */

/** Reasons after which the transaction may still be included in a block. */
export const OPEN_REASONS = new Set(["unclear", "given_up", "no_answer"]);

/**
 * @param {any} answer of Keychain
 * @returns {Answer}
 */
export function interpret(answer) {
  if (answer.success) {
    const result = answer.result ?? {};
    const id = [result.tx_id, result.id].find((text) => typeof text === "string" && TX_ID.test(text));
    return { ok: true, txId: id ?? null, multisig: result.isUsingMultisig === true };
  }
  const { error } = answer;
  if (error === "ignored") return failure("unclear", strings.dropped); // it may have been broadcast nevertheless
  if (error === "user_cancel") return failure("cancelled", "", signerOf(answer));
  if (error === "no_wallet") return failure("no_wallet");
  if (error === "incomplete") {
    const report = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    console.info(`report ${report}:`, plainText(answer.message)); // for support
    return failure("malformed", strings.malformed(report));
  }
  if (isUnsigned(answer)) return failure("unsigned", "", signerOf(answer));
  return refusal(`${plainText(answer.message)} ${plainText(error?.message)} ${typeof error === "string" ? error : ""}`);
}

const signerOf = ({ data }) => (data?.username ? strings.keyOf(data.username, data.method === "Posting" ? "posting" : "active") : "");

// Keychain says so before it broadcasts. Its error is empty then, unlike a node's, and the text is in the language of
// the browser; a failed broadcast has an empty error too, but another text.
const UNSIGNED_KEY = "html_popup_error_while_signing_transaction";
const SIGNING = /\bsign(?:ing|ature|er)|signier|firmar|assinar|menandatangani|서명|签|簽|署名/i;

function isUnsigned({ error, message, messageKey }) {
  if ([messageKey, error?.message, message].includes(UNSIGNED_KEY)) return true;
  const isEmpty = error !== null && typeof error === "object" && Object.keys(error).length === 0;
  return isEmpty && SIGNING.test(plainText(message)) && !isKnownRefusal(plainText(message));
}

// How nodes word a refusal. Any other error is no clear answer: the transaction may have been accepted.
const REFUSALS = [
  [/expir/i, "clock"],
  [/not_enough_rc|\brc\b|resource credit/i, "credits"],
  [/custom.?json|custom operation/i, "customs"],
  [/sufficient funds|insufficient|overdrawn/i, "funds"],
  [/missing required|missing (?:active|posting)? ?authority|irrelevant signature/i, "authority"],
];
const REFUSED = /xception|assert|invalid|unknown account|does not exist/i;
const isKnownRefusal = (text) => REFUSED.test(text) || REFUSALS.some(([pattern]) => pattern.test(text));

function refusal(text) {
  if (/duplicate transaction/i.test(text)) return failure("unclear");
  const known = REFUSALS.find(([pattern]) => pattern.test(text));
  if (known) return failure("refused", strings.refusals[known[1]]);
  return failure(REFUSED.test(text) ? "refused" : "unclear");
}

const plainText = (text) => (typeof text === "string" ? text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim() : "");

/**
 * @param {Reason} reason
 * @param {string} [message] instead of the reason's own
 * @param {string} [key] which it is about
 * @returns {Answer}
 */
export function failure(reason, message = "", key = "") {
  const text = strings.reasons[reason];
  return { ok: false, reason, message: message || text.message, hint: text.hint ? text.hint(key) : "" };
}
