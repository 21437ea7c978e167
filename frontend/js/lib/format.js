// Formatters for prices, amounts, percentages and times. Numbers come as decimal text from the API, never as floats.

import { months } from "../strings/common.js";
import { grouped } from "./amounts.js";
import { el, setText } from "./dom.js";

/** Placeholder for a missing value. */
export const NONE = "–";

/**
 * Show a price with its leading zeros dimmed.
 * @param {HTMLElement} node
 * @param {string|null} text decimal text with thousands separators
 * @returns {boolean} true if it replaced another price
 */
export function setPrice(node, text) {
  const value = text ?? NONE;
  if (node.dataset.value === value) return false;
  const before = node.dataset.value;
  node.dataset.value = value;
  const zeros = /^0[.,]0*/.exec(value)?.[0] ?? "";
  const rest = value.slice(zeros.length);
  if (rest && zeros.length > 4) node.replaceChildren(el("span", { className: "zeros" }, zeros), rest);
  else node.textContent = value;
  return before !== undefined;
}

/**
 * Show an amount with all its decimals, trailing zeros dimmed, so that columns align.
 * @param {HTMLElement} node
 * @param {string} text decimal text
 */
export function setAmount(node, text) {
  if (node.dataset.value === text) return;
  node.dataset.value = text;
  const value = grouped(text);
  const digits = value.includes(".") ? value.replace(/\.?0+$/, "") : value;
  const rest = el("span", { className: "zeros tail" }, value.slice(digits.length));
  node.replaceChildren(digits === "0" ? el("span", { className: "zeros" }, digits) : digits, rest);
}

/**
 * A percentage change with an arrow, and its CSS class.
 * @param {string|null} text such as "-4.17"
 * @returns {[string, ""|"buy"|"sell"]}
 */
export function percentChange(text) {
  if (text === null || text === undefined) return [NONE, ""];
  if (/^-?0\.00$/.test(text)) return ["0.00 %", ""];
  return text.startsWith("-") ? [`▼ ${grouped(text)} %`, "sell"] : [`▲ +${grouped(text)} %`, "buy"];
}

/**
 * A volume with few digits: no decimals from 1000 on, two from 1 on, else four significant digits.
 * @param {string} text decimal text
 */
export function compact(text) {
  const [whole, fraction = ""] = text.split(".");
  if (whole.length > 3) return grouped(whole);
  if (whole !== "0") return fraction ? `${whole}.${fraction.slice(0, 2)}` : whole;
  const shown = /^0*\d{0,4}/.exec(fraction)[0].replace(/0+$/, "");
  return shown ? `0.${shown}` : "0";
}

/**
 * Decimal text truncated or padded to a fixed number of decimals, for columns.
 * @param {string} text
 * @param {number} decimals
 */
export function fixed(text, decimals) {
  const [whole, fraction = ""] = text.split(".");
  return grouped(decimals > 0 ? `${whole}.${fraction.slice(0, decimals).padEnd(decimals, "0")}` : whole);
}

// Times are written out here, not by the browser's locale: the same digits, order and 24 hours everywhere.
const two = (number) => String(number).padStart(2, "0");

/** Local time as hh:mm. @param {string|number} time ISO 8601, or milliseconds since 1970 */
export function hourMinute(time) {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Local time as hh:mm:ss. @param {string|number} time */
export const timeOfDay = (time) => `${hourMinute(time)}:${two(new Date(time).getSeconds())}`;

/** Local day as "29 Nov", with the year if it is another one. @param {string|number} time */
export function day(time) {
  const date = new Date(time);
  const year = date.getFullYear();
  const text = `${date.getDate()} ${months[date.getMonth()]}`;
  return year === new Date().getFullYear() ? text : `${text} ${year}`;
}

/** Local day and time. @param {string|number} time */
export const dayAndTime = (time) => `${day(time)}, ${hourMinute(time)}`;

/** Day in UTC as "29 Nov 2026". @param {string} ts ISO 8601 */
export const utcDay = (ts) => `${Number(ts.slice(8, 10))} ${months[Number(ts.slice(5, 7)) - 1]} ${ts.slice(0, 4)}`;

/** Full time in UTC. @param {string} ts ISO 8601 */
export const utcTime = (ts) => `${ts.slice(0, 10)} ${ts.slice(11, 19)} UTC`;

/**
 * Show the local day and time, with the full UTC time as a tooltip.
 * @param {HTMLElement} node
 * @param {string} ts ISO 8601
 */
export function setTime(node, ts) {
  setText(node, dayAndTime(ts));
  node.title = utcTime(ts);
}

/**
 * A number of seconds as "14 s", "5 min", "3 h" or "2 d".
 * @param {number} seconds
 */
export function age(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}
