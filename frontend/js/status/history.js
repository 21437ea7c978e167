// The file that `peakedex notify --status` writes: its validation, and the figures of the page.

const CONDITIONS = ["ok", "degraded", "down"];
const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;
/** Days that the page shows. */
export const DAYS = 90;

/**
 * @typedef {{date: string, ok: number, degraded: number, down: number}} Day seconds in each condition, on a day in UTC
 * @typedef {{condition: string, since: string, until: string|null, text: string}} Incident
 * @typedef {{updated: string|null, now: {condition: string, since: string, text: string|null}|null, days: Day[],
 *   incidents: Incident[]}} History
 */

/**
 * The history in a file's text; null if it is none.
 * @param {string} text
 * @returns {History|null}
 */
export function parseHistory(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (body?.version !== 1 || !Array.isArray(body.days) || !Array.isArray(body.incidents)) return null;
  const isTime = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));
  const isDay = (day) => isTime(day?.date) && CONDITIONS.every((name) => Number.isInteger(day[name]) && day[name] >= 0);
  const isIncident = ({ condition, since, until, text: what }) =>
    CONDITIONS.includes(condition) && isTime(since) && (until === null || isTime(until)) && typeof what === "string";
  const isCurrent = body.now === null || (CONDITIONS.includes(body.now?.condition) && isTime(body.now.since));
  const isUpdated = body.updated === null || isTime(body.updated);
  return isCurrent && isUpdated && body.days.every(isDay) && body.incidents.every(isIncident) ? body : null;
}

/**
 * The last 90 days up to today (UTC), oldest first. Days of which nothing is known have only zeros.
 * @param {Day[]} days
 * @param {number} now milliseconds since 1970
 * @returns {Day[]}
 */
export function lastDays(days, now) {
  const known = new Map(days.map((day) => [day.date, day]));
  return Array.from({ length: DAYS }, (_, at) => {
    const date = new Date(now - (DAYS - 1 - at) * DAY_MS).toISOString().slice(0, 10);
    return known.get(date) ?? { date, ok: 0, degraded: 0, down: 0 };
  });
}

/** Seconds of a day that were observed. @param {Day} day */
export const observed = ({ ok, degraded, down }) => ok + degraded + down;

/**
 * The condition that a day is shown in: the worst that lasted a minute or more.
 * @param {Day} day
 */
export function conditionOf(day) {
  if (observed(day) === 0) return "unknown";
  if (day.down >= 60) return "down";
  return day.degraded >= 60 ? "degraded" : "ok";
}

/**
 * Shares in percent: of the observed time in which the exchange was not down, and of the days that was observed.
 * @param {Day[]} days
 * @returns {{available: string, seen: string}|null} null if nothing was observed
 */
export function shares(days) {
  const seen = days.reduce((sum, day) => sum + observed(day), 0);
  if (seen === 0) return null;
  const down = days.reduce((sum, day) => sum + day.down, 0);
  // Rounded down: 99.99 % is never shown as 100 %.
  const available = Math.floor(((seen - down) / seen) * 10_000) / 100;
  return { available: `${available.toFixed(2)} %`, seen: `${Math.min(100, Math.round((seen / (days.length * DAY_SECONDS)) * 100))} %` };
}
