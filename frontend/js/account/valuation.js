// Values balances in another token, at last prices.

import { units } from "../lib/amounts.js";

const MAX_HOPS = 3;

/** @typedef {{up: bigint, down: bigint}} Rate `up` units of the target for `down` units of the token */

/**
 * Conversion rates to `target` by token, along the shortest chain of traded pairs.
 * @param {any} venue
 * @param {any[]} pairs rows of /api/pairs
 * @param {string} target
 * @returns {Map<string, Rate>}
 */
export function conversionRates(venue, pairs, target) {
  const rates = new Map([[target, { up: 1n, down: 1n }]]);
  const precision = Object.fromEntries(venue.tokens.map((token) => [token.symbol, token.precision]));
  const edges = pairs
    .filter((pair) => pair.last_price !== null)
    .flatMap((pair) => {
      const up = units(pair.last_price, pair.price_decimals) * 10n ** BigInt(precision[pair.quote]);
      const down = 10n ** BigInt(precision[pair.base] + pair.price_decimals);
      return [
        { from: pair.base, to: pair.quote, up, down },
        { from: pair.quote, to: pair.base, up: down, down: up },
      ];
    });
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    for (const { from, to, up, down } of edges) {
      const next = rates.get(to);
      if (next && !rates.has(from)) rates.set(from, { up: up * next.up, down: down * next.down });
    }
  }
  return rates;
}

/**
 * Units of the target; null without a rate.
 * @param {bigint} amount units of the token
 * @param {Rate|undefined} rate
 * @returns {bigint|null}
 */
export const valueOf = (amount, rate) => (rate && rate.down > 0n ? (amount * rate.up) / rate.down : null);
