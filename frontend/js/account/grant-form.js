// Fields of a grant: pairs, daily allowances, price band and end.

import { chainTime, POSTING } from "../data/grants.js";
import { grouped, plain, trimmed, units } from "../lib/amounts.js";
import { el, setChildren, setText } from "../lib/dom.js";
import { dayAndTime } from "../lib/format.js";
import { parse } from "../lib/parse-amount.js";
import { field, NUMERIC } from "../lib/widgets.js";
import { amounts as inputStrings } from "../strings/common.js";
import { grantDialog as strings } from "../strings/one-click.js";
import { MAX_GRANT_SECONDS } from "../wallet/grant-intents.js";

const DAY = 86_400;
const DAYS = [1, 7, 30, 90];
const DEFAULT_DAYS = 30;
/** Blocks and this device differ in their time: the longest life must not exceed the limit by seconds. */
const MARGIN_SECONDS = 600;
const DEFAULT_BAND = "5"; // percent
const DEFAULT_PART = 4n; // a day's allowance is a quarter of the balance
const SIGNIFICANT_DIGITS = 3;

export class GrantForm {
  /**
   * @param {{venue: any, facts: {balances: any[], marks: Map<string, import("../data/marks.js").Mark>}, old: any|null, pair?: {base: string, quote: string},
   *   to?: string}} about
   * @param {() => void} onInput
   */
  constructor({ venue, facts, old, pair, to }, onInput) {
    Object.assign(this, { venue, facts, old, onInput });
    this.to = to ?? null; // null: it is entered
    this.account = field("grant-account", strings.account, {
      className: "text", autocapitalize: "none", autocomplete: "off", maxlength: "17", oninput: onInput,
    });
    const isChosen = (row) => (old?.pairs ?? (pair ? [pair] : [])).some(({ base, quote }) => row.base === base && row.quote === quote);
    this.pairs = venue.pairs.filter((row) => row.status !== "closed" || isChosen(row)).map((row, at) => this.pairBox(row, at, isChosen(row)));
    /** @type {Map<string, import("../lib/widgets.js").Field>} by symbol, kept while its pair is not chosen */
    this.allowances = new Map();
    /** @type {Map<string, HTMLElement>} what the account has of each token, beside its field */
    this.totals = new Map();
    this.allowanceList = el("div", { className: "allowances" });
    this.pairsHint = el("p", { className: "hint bad", hidden: true });
    this.perDayHint = el("p", { className: "hint bad", hidden: true });
    const band = old ? String(old.band_bps / 100) : DEFAULT_BAND;
    this.band = field("grant-band", strings.band, { ...NUMERIC, value: band, oninput: onInput }, { unit: "%" });
    this.ends = this.endsField();
    this.nodes = this.layOut();
    this.showAllowances();
  }

  pairBox(row, at, checked) {
    const onchange = () => {
      this.showAllowances();
      this.onInput();
    };
    const input = el("input", { type: "checkbox", id: `grant-pair-${at}`, checked, onchange });
    const label = el("label", { htmlFor: input.id }, `${row.base}/${row.quote}`);
    return { row, input, node: el("div", { className: "check" }, input, label) };
  }

  endsField() {
    const hint = el("p", { className: "hint bad", hidden: true });
    const now = Math.floor(chainTime() / 1000);
    const option = (until, text) => el("option", { value: String(until) }, text);
    const show = (seconds) => dayAndTime(new Date(seconds * 1000).toISOString());
    const before = this.old && Math.floor(Date.parse(this.old.until) / 1000);
    const options = DAYS.map((days) => [days, now + Math.min(days * DAY, MAX_GRANT_SECONDS - MARGIN_SECONDS)]);
    const select = el(
      "select",
      { id: "grant-ends", onchange: this.onInput },
      this.old && option(before, strings.keep(show(before))),
      ...options.map(([days, until]) => option(until, strings.endsIn(days, show(until)))),
    );
    select.value = String(this.old ? before : options.find(([days]) => days === DEFAULT_DAYS)[1]);
    const node = el("div", { className: "field" }, el("label", { htmlFor: "grant-ends" }, strings.ends), select, hint);
    return { node, input: select, hint };
  }

  layOut() {
    const pairList = el("div", { className: "pair-checks" }, ...this.pairs.map(({ node }) => node));
    const group = (legend, ...content) => el("fieldset", { className: "field" }, el("legend", {}, legend), ...content);
    return [
      this.to === null && this.account.node,
      group(strings.pairs, pairList, this.pairsHint),
      group(strings.perDay, this.allowanceList, this.perDayHint),
      el("div", {}, el("div", { className: "option-row" }, this.band.node, this.ends.node), el("p", { className: "hint muted small" }, strings.bandHint)),
    ];
  }

  chosenPairs() {
    return this.pairs.filter(({ input }) => input.checked).map(({ row: { base, quote } }) => ({ base, quote }));
  }

  chosenTokens() {
    return [...new Set(this.chosenPairs().flatMap(({ base, quote }) => [quote, base]))];
  }

  // One field for each token of the chosen pairs. What was entered is kept.
  showAllowances() {
    const tokens = this.chosenTokens();
    for (const symbol of tokens) if (!this.allowances.has(symbol)) this.allowances.set(symbol, this.allowanceField(symbol));
    const nodes = tokens.map((symbol) => this.allowances.get(symbol).node);
    setChildren(this.allowanceList, nodes.length ? nodes : [el("p", { className: "small muted" }, strings.noTokens)]);
  }

  allowanceField(symbol) {
    const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
    const value = this.allowanceText(symbol, precision);
    const beside = el("span", {}, this.totalText(symbol));
    this.totals.set(symbol, beside);
    const attributes = { ...NUMERIC, value, oninput: this.onInput, "aria-label": strings.allowanceOf(symbol) };
    return field(`grant-${symbol.replace(".", "-")}`, symbol, attributes, { unit: symbol, beside });
  }

  total(symbol) {
    return this.facts.balances.find((row) => row.symbol === symbol)?.total ?? "0";
  }

  totalText(symbol) {
    return strings.total(trimmed(grouped(this.total(symbol))), symbol);
  }

  /** Whether the account has any of the tokens of the chosen pairs. */
  isFunded() {
    return this.chosenTokens().some((symbol) => /[1-9]/.test(this.total(symbol)));
  }

  /** Funds have arrived: suggest allowances where nothing was entered. @param {any[]} balances rows of /api/balances */
  setBalances(balances) {
    this.facts.balances = balances;
    for (const [symbol, { input }] of this.allowances) {
      const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
      setText(this.totals.get(symbol), this.totalText(symbol));
      if (!input.value && input !== document.activeElement) input.value = this.allowanceText(symbol, precision);
    }
    this.onInput();
  }

  allowanceText(symbol, precision) {
    const before = this.old?.allowances.find((row) => row.symbol === symbol);
    if (before) return trimmed(before.per_day);
    if (this.old && this.hadPairOf(symbol)) return "";
    const amount = this.ownPart(symbol) || this.equivalent(symbol);
    return amount > 0n ? trimmed(plain(amount, precision)) : "";
  }

  hadPairOf(symbol) {
    return this.old.pairs.some(({ base, quote }) => base === symbol || quote === symbol);
  }

  /** A part of the balance in units, rounded down to few digits. */
  ownPart(symbol) {
    const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
    return roundedDown(units(this.total(symbol), precision) / DEFAULT_PART);
  }

  /** What the part of the other token of a chosen pair is worth, so that what was bought can be sold. */
  equivalent(symbol) {
    for (const { base, quote } of this.chosenPairs()) {
      const mark = this.facts.marks.get(`${base}/${quote}`);
      if (!mark || (base !== symbol && quote !== symbol)) continue;
      const worth = base === symbol ? (this.ownPart(quote) * mark.base) / mark.quote : (this.ownPart(base) * mark.quote) / mark.base;
      if (worth > 0n) return roundedDown(worth);
    }
    return 0n;
  }

  // -- reading --

  /** The terms; null, with errors shown, if a field is no number. @returns {import("../wallet/grant-intents.js").GrantTerms|null} */
  terms() {
    const perDay = {};
    let isValid = true;
    for (const symbol of this.chosenTokens()) {
      const input = this.allowances.get(symbol);
      const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
      const { units: amount, problem, empty } = parse(input.input.value, precision);
      if (problem) input.setError(problem);
      if (problem) isValid = false;
      if (!empty && amount) perDay[symbol] = amount;
    }
    const { units: bandBps, problem, empty } = parse(this.band.input.value, 2);
    if (problem || empty) this.band.setError(problem || inputStrings.required);
    if (problem || empty || !isValid) return null;
    const to = this.to ?? this.account.input.value.trim().replace(/^@/, "").toLowerCase();
    const named = this.to === null && to === POSTING ? "active" : to; // as a bot's name `posting` is reserved, too
    return { to: named, pairs: this.chosenPairs(), perDay, bandBps: Number(bandBps), until: Number(this.ends.input.value) };
  }

  // -- errors --

  clearErrors() {
    for (const one of [this.account, this.band, ...this.allowances.values()]) one.setError("");
    for (const hint of [this.pairsHint, this.perDayHint, this.ends.hint]) showHint(hint, "");
  }

  /** Show an error at its field. @returns {boolean} whether there is such a field */
  showError(name, message) {
    const [key, symbol] = name.startsWith("perDay.") ? ["perDay", name.slice("perDay.".length)] : [name, ""];
    if (symbol) this.allowances.get(symbol).setError(message);
    else if (key === "to") this.showAccountError(message);
    else if (key === "bandBps") this.band.setError(message);
    else if (key === "pairs") showHint(this.pairsHint, message);
    else if (key === "perDay") showHint(this.perDayHint, message);
    else if (key === "until") showHint(this.ends.hint, message);
    else return false;
    return true;
  }

  // Nothing is wrong before a name is entered; only the submission says that it is missing.
  showAccountError(message) {
    if (this.account.input.value) this.account.setError(message);
    else if (this.isSubmitted) this.account.setError(inputStrings.required);
  }

  focusFirstError() {
    this.isSubmitted = true;
    this.onInput();
    const fields = [...(this.to === null ? [this.account] : []), ...this.allowances.values(), this.band];
    const wrong = fields.find(({ node }) => node.isConnected && node.classList.contains("wrong"));
    (wrong?.input ?? this.pairs[0]?.input)?.focus();
  }

  focus() {
    if (this.to === null) this.account.input.focus();
    else document.getElementById("grant-title")?.closest("dialog")?.querySelector("button[type=submit]")?.focus();
  }
}

function showHint(node, text) {
  node.hidden = !text;
  node.textContent = text;
}

/** An amount with its first digits only. */
function roundedDown(amount) {
  const digits = amount.toString();
  return BigInt(digits.slice(0, SIGNIFICANT_DIGITS).padEnd(digits.length, "0"));
}
