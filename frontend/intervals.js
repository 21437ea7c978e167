// The intervals of candles, and which one the reader looks at.

export const INTERVALS = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"];
const KEY = "peakedex.interval";

/**
 * The interval that was chosen last.
 * @param {string} usual where none was
 */
export function chosenInterval(usual) {
  const kept = localStorage.getItem(KEY);
  return INTERVALS.includes(kept) ? kept : usual;
}

/** @param {string} interval */
export const keepInterval = (interval) => localStorage.setItem(KEY, interval);
