// Numbers for the eye, made of the API's decimal text.

import { grouped } from "./amounts.js";
import { make } from "./dom.js";

/** What stands where there is no number. */
export const NONE = "–";

/**
 * A price with its leading zeros dimmed: they carry the place, the rest carries the news.
 * @param {HTMLElement} node
 * @param {string|null} text decimal text, separated already
 * @returns {boolean} whether there was another text before
 */
export function writePrice(node, text) {
  const value = text ?? NONE;
  if (node.dataset.value === value) return false;
  const before = node.dataset.value;
  node.dataset.value = value;
  const zeros = /^0[.,]0*/.exec(value)?.[0] ?? "";
  const rest = value.slice(zeros.length);
  if (rest && zeros.length > 4) node.replaceChildren(make("span", { className: "zeros" }, zeros), rest);
  else node.textContent = value;
  return before !== undefined;
}

/**
 * An amount with all its decimals, the zeros at the end dimmed: columns line up, and the eye finds the digits.
 * @param {HTMLElement} node
 * @param {string} text decimal text
 */
export function writeAmount(node, text) {
  if (node.dataset.value === text) return;
  node.dataset.value = text;
  const value = grouped(text);
  const kept = value.includes(".") ? value.replace(/\.?0+$/, "") : value;
  if (kept === "0") node.replaceChildren(make("span", { className: "zeros" }, value));
  else node.replaceChildren(kept, make("span", { className: "zeros" }, value.slice(kept.length)));
}

/**
 * A change in percent with its arrow, and the class of its colour.
 * @param {string|null} text such as "-4.17"
 * @returns {[string, string]}
 */
export function change(text) {
  if (text === null || text === undefined) return [NONE, ""];
  if (/^-?0\.00$/.test(text)) return ["0.00 %", ""];
  return text.startsWith("-") ? [`▼ ${grouped(text)} %`, "sell"] : [`▲ +${grouped(text)} %`, "buy"];
}

/**
 * A volume for the eye: from a thousand on without decimals, below with two, and below one with four digits that
 * are not leading zeros.
 * @param {string} text
 */
export function short(text) {
  const [whole, fraction = ""] = text.split(".");
  if (whole.length > 3) return grouped(whole);
  if (whole !== "0") return fraction ? `${whole}.${fraction.slice(0, 2)}` : whole;
  const shown = /^0*\d{0,4}/.exec(fraction)[0].replace(/0+$/, "");
  return shown ? `0.${shown}` : "0";
}

/**
 * Decimal text cut to so many decimals, for columns.
 * @param {string} text
 * @param {number} decimals
 */
export function cut(text, decimals) {
  const [whole, fraction = ""] = text.split(".");
  return grouped(decimals > 0 ? `${whole}.${fraction.slice(0, decimals).padEnd(decimals, "0")}` : whole);
}
