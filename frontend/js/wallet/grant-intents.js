// Drafts of grants, revokes and the cancel-all timer (docs/protocol.md, sections 5 and 6), and their validation.

import { POSTING } from "../data/grants.js";
import { isAccount } from "../lib/account-name.js";
import { grouped, plain, trimmed } from "../lib/amounts.js";
import { utcTime } from "../lib/format.js";
import { grantIntents as strings } from "../strings/one-click.js";
import { checkPositive, checkRange, IntentError, tokenOf } from "./intent-checks.js";
import { custom } from "./intents.js";

/** The longest life of a grant in seconds, and the most grants of an account. */
export const MAX_GRANT_SECONDS = 7_776_000;
export const MAX_GRANTS = 10;

const RESERVED = "active";
const MAX_PAIRS = 20;
const MAX_TOKENS = 20;
const MAX_BAND_BPS = 10_000;
const MIN_TIMER_SECONDS = 15;
const MAX_TIMER_SECONDS = 86_400;

/**
 * Limits of a grant. `perDay` in units by symbol, `until` in seconds since 1970.
 * @typedef {{to: string, pairs: {base: string, quote: string}[], perDay: Record<string, bigint>, bandBps: number,
 *   until: number}} GrantTerms
 */

/**
 * Draft of a grant; one to the same `to` replaces the old one.
 * @param {any} venue the body of /api/venue
 * @param {string} account
 * @param {GrantTerms} terms
 * @param {number} now seconds since 1970, as the chain counts
 * @returns {import("./intents.js").Draft}
 * @throws {IntentError} whose `field` is a key of the terms; of an allowance `perDay.<symbol>`
 */
export function grant(venue, account, { to, pairs, perDay, bandBps, until }, now) {
  checkGrantee(account, to);
  const names = checkPairs(venue, pairs);
  const amounts = checkAllowances(venue, perDay);
  if (!Number.isInteger(bandBps) || bandBps < 0 || bandBps > MAX_BAND_BPS) throw new IntentError("bandBps", strings.band);
  if (!Number.isInteger(until) || until <= now || until > now + MAX_GRANT_SECONDS) {
    throw new IntentError("until", strings.until(MAX_GRANT_SECONDS));
  }
  return custom(venue, account, [{
    action: "grant",
    payload: { to, pairs: names, perDay: Object.fromEntries(amounts), bandBps, until },
    title: to === POSTING ? strings.grantPosting : strings.grantBot(to),
    sentence: strings.grantSentence({
      to,
      pairs: names,
      amounts: amounts.map(([symbol, amount]) => `${trimmed(grouped(amount))} ${symbol}`),
      band: bandBps / 100,
      until: utcTime(new Date(until * 1000).toISOString()),
    }),
    about: { to },
  }]);
}

function checkGrantee(account, to) {
  if (to === POSTING) return;
  if (to === RESERVED) throw new IntentError("to", strings.reserved);
  if (!isAccount(to)) throw new IntentError("to", strings.noAccount);
  if (to === account) throw new IntentError("to", strings.ownAccount);
}

function checkPairs(venue, pairs) {
  const names = [...new Set(pairs.map(({ base, quote }) => `${base}/${quote}`))];
  if (names.length === 0) throw new IntentError("pairs", strings.noPairs);
  if (names.length > MAX_PAIRS) throw new IntentError("pairs", strings.tooManyPairs(MAX_PAIRS));
  const listed = new Set(venue.pairs.map(({ base, quote }) => `${base}/${quote}`));
  const unknown = names.find((name) => !listed.has(name));
  if (unknown) throw new IntentError("pairs", strings.notListed(unknown));
  return names.sort();
}

/** The allowances as decimal text, by symbol. @returns {[string, string][]} */
function checkAllowances(venue, perDay) {
  const amounts = Object.entries(perDay).map(([symbol, units]) => {
    const field = `perDay.${symbol}`;
    return [symbol, plain(checkRange(field, checkPositive(field, units)), tokenOf(venue, symbol).precision)];
  });
  if (amounts.length === 0) throw new IntentError("perDay", strings.noAllowance);
  if (amounts.length > MAX_TOKENS) throw new IntentError("perDay", strings.tooManyTokens(MAX_TOKENS));
  return amounts.sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Draft that ends a grant.
 * @param {any} venue
 * @param {string} account
 * @param {string} to
 * @returns {import("./intents.js").Draft}
 */
export function revoke(venue, account, to) {
  return custom(venue, account, [{
    action: "revoke",
    payload: { to },
    title: to === POSTING ? strings.revokePosting : strings.revokeBot(to),
    sentence: strings.revokeSentence(to),
    about: { to },
  }]);
}

/**
 * Draft that sets the cancel-all timer, or switches it off.
 * @param {any} venue
 * @param {string} account
 * @param {number} seconds 0 switches it off
 * @returns {import("./intents.js").Draft}
 * @throws {IntentError}
 */
export function cancelAllAfter(venue, account, seconds) {
  const isValid = seconds === 0 || (seconds >= MIN_TIMER_SECONDS && seconds <= MAX_TIMER_SECONDS);
  if (!Number.isInteger(seconds) || !isValid) throw new IntentError("seconds", strings.seconds);
  return custom(venue, account, [{
    action: "cancelAllAfter",
    payload: { seconds },
    title: seconds ? strings.timer(seconds) : strings.timerOff,
    sentence: seconds ? strings.timerSentence(seconds) : strings.timerOffSentence,
    about: { seconds },
  }]);
}
