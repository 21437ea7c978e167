// Candle intervals, and the one that the user chose last.

import { local } from "../lib/storage.js";

export const INTERVALS = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"];
const KEY = "peakedex.interval";

/** @param {string} fallback if none was chosen */
export function storedInterval(fallback) {
  const stored = local.getItem(KEY);
  return INTERVALS.includes(stored) ? stored : fallback;
}

/** @param {string} interval */
export const storeInterval = (interval) => local.setItem(KEY, interval);

/** Whether candles of the interval begin and end with days of UTC. @param {string} interval */
export const isOfDays = (interval) => /[dw]$/.test(interval);
