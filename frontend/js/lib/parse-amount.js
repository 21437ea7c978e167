// Amounts as people type them: any notation that has one meaning. Loaded with the forms, not for the first paint.

import { amounts as strings } from "../strings/common.js";
import { grouped, MAX_UNITS, power } from "./amounts.js";

// Separators of thousands that cannot be decimal separators: spaces of every width, apostrophes, underscores.
const SEPARATOR = "[\\s\\u00a0\\u2000-\\u200b\\u202f\\u205f\\u3000\\ufeff'’_]";
const SEPARATORS = new RegExp(SEPARATOR, "g");
const SPACED = new RegExp(`^\\d(?:[\\d.,]|${SEPARATOR})*$`);
// Groups of three digits, whatever separates them; the first is no zero.
const grouping = (separator, rest) => new RegExp(`^[1-9]\\d{0,2}(?:${separator}\\d{3})+${rest}$`);
const GROUPED = grouping(SEPARATOR, "(?:[.,]\\d*)?");
const COMMA_GROUPS = grouping(",", "(?:\\.\\d*)?");
const POINT_GROUPS = grouping("\\.", "(?:,\\d*)?");
const PLAIN = /^(?:\d+[.,]?\d*|[.,]\d+)$/;
const AMBIGUOUS = /^[1-9]\d{0,2},\d{3}$/;

/**
 * Parse a number that was typed or pasted, in any notation that has one meaning. A point alone is a decimal point, as
 * in all numbers that the site shows; a comma alone is one as well, unless it may separate thousands.
 * @param {string} text
 * @param {number} decimals of the unit; negative for lots of 10, 1000 and so on
 * @returns {{units: bigint, problem?: undefined, empty?: undefined}
 *   | {units?: undefined, problem: string, empty?: boolean}}
 */
export function parse(text, decimals) {
  const input = text.replace(/^[\s\u00a0\ufeff]+|[\s\u00a0\ufeff]+$/g, "");
  if (input === "") return { problem: "", empty: true };
  const { plain: number, problem } = withoutSeparators(input);
  if (problem) return { problem };
  const [whole, fraction = ""] = number.split(".");
  return toUnits(whole.replace(/^0+(?=\d)/, "") || "0", fraction.replace(/0+$/, ""), decimals);
}

function withoutSeparators(text) {
  if (text.length > 80) return { problem: strings.notNumber };
  if (/^[-−–+]/.test(text)) return { problem: strings.sign };
  if (/^[\d.]+e[-+]?\d+$/i.test(text)) return { problem: strings.exponent };
  if (AMBIGUOUS.test(text)) {
    return { problem: strings.twoMeanings(text, text.replace(",", ""), text.replace(",", ".")) };
  }
  if (PLAIN.test(text)) return { plain: text.replace(",", ".") };
  if (GROUPED.test(text)) return { plain: text.replace(SEPARATORS, "").replace(",", ".") };
  if (COMMA_GROUPS.test(text)) return { plain: text.replaceAll(",", "") };
  // One point is a decimal point: thousands need two of them, or a comma behind.
  if (POINT_GROUPS.test(text)) return { plain: text.replaceAll(".", "").replace(",", ".") };
  if (/^[\d.,]+$/.test(text) && /\d/.test(text)) return { problem: strings.separators };
  if (SPACED.test(text)) return { problem: strings.groups };
  if (/\p{Nd}/u.test(text.replace(/\d/g, ""))) return { problem: strings.digits };
  return { problem: strings.notNumber };
}

function toUnits(whole, fraction, decimals) {
  if (fraction.length > Math.max(0, decimals)) {
    return { problem: decimals > 0 ? strings.decimals(decimals) : strings.whole };
  }
  let units;
  if (decimals >= 0) {
    units = BigInt(whole + fraction.padEnd(decimals, "0"));
  } else {
    const lot = power(-decimals);
    const value = BigInt(whole);
    if (value % lot !== 0n) return { problem: strings.lots(grouped(lot.toString())) };
    units = value / lot;
  }
  return units > MAX_UNITS ? { problem: strings.range } : { units };
}
