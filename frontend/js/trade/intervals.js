// Candle intervals, and the one that the user chose last.

export const INTERVALS = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"];
const KEY = "peakedex.interval";

/** @param {string} fallback if none was chosen */
export function storedInterval(fallback) {
  const stored = localStorage.getItem(KEY);
  return INTERVALS.includes(stored) ? stored : fallback;
}

/** @param {string} interval */
export const storeInterval = (interval) => localStorage.setItem(KEY, interval);
