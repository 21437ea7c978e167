// What a holding is worth in another token, at last prices: for the eye, in whole units of that token.

import { units } from "./amounts.js";

const MOST_STEPS = 3;

/**
 * @typedef {{up: bigint, down: bigint}} Rate units of the target for `down` units of the token
 */

/**
 * The rate from each token to `target`, along the fewest pairs that have traded.
 * @param {any} venue
 * @param {any[]} pairs rows of /api/pairs
 * @param {string} target
 * @returns {Map<string, Rate>}
 */
export function rates(venue, pairs, target) {
  const found = new Map([[target, { up: 1n, down: 1n }]]);
  const precision = Object.fromEntries(venue.tokens.map((token) => [token.symbol, token.precision]));
  const edges = pairs
    .filter((pair) => pair.last_price !== null)
    .flatMap((pair) => {
      // One unit of the base is worth so many units of the quote.
      const up = units(pair.last_price, pair.price_decimals) * 10n ** BigInt(precision[pair.quote]);
      const down = 10n ** BigInt(precision[pair.base] + pair.price_decimals);
      return [
        { from: pair.base, to: pair.quote, up, down },
        { from: pair.quote, to: pair.base, up: down, down: up },
      ];
    });
  for (let step = 0; step < MOST_STEPS; step += 1) {
    for (const { from, to, up, down } of edges) {
      const next = found.get(to);
      if (next && !found.has(from)) found.set(from, { up: up * next.up, down: down * next.down });
    }
  }
  return found;
}

/**
 * @param {bigint} amount units of the token
 * @param {Rate|undefined} rate
 * @returns {bigint|null}
 */
export const valueOf = (amount, rate) => (rate && rate.down > 0n ? (amount * rate.up) / rate.down : null);
