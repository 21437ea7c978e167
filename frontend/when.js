// Times for the eye, in the reader's own zone; the full time in UTC stands in the title.

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const day = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});

/** @param {string} ts ISO 8601 */
export const timeOfDay = (ts) => clock.format(new Date(ts));

/** @param {string} ts ISO 8601 */
export const dayAndTime = (ts) => day.format(new Date(ts));

/** @param {string} ts ISO 8601 */
export const inFull = (ts) => `${ts.slice(0, 10)} ${ts.slice(11, 19)} UTC`;

/**
 * Seconds as "14 s", "5 min", "3 h" or "2 d".
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}
