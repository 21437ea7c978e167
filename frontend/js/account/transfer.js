// Transfer screen: deposits and withdrawals of coins and tokens, with the steps that follow.

import { read, readVenue } from "../data/api.js";
import { LiveAccount } from "../data/live-account.js";
import { onAccount } from "../data/session.js";
import { subscribe } from "../data/stream.js";
import { plain, show, trimmed, units } from "../lib/amounts.js";
import { button, byId, copyText, el, setText } from "../lib/dom.js";
import { NONE } from "../lib/format.js";
import { parse } from "../lib/parse-amount.js";
import { afterPaint } from "../lib/render.js";
import { errorNote, field, NUMERIC, panel } from "../lib/widgets.js";
import { chooseAccount, mountShell } from "../shell/shell.js";
import { transfer as strings } from "../strings/account.js";
import { amounts as inputStrings } from "../strings/common.js";
import { readWalletBalances } from "../wallet/wallet-balances.js";
import { depositsTable, withdrawalsTable } from "./transfer-tables.js";

const LISTS_DELAY_MS = 1500;
const WALLET_MS = 10_000;
const MAX_TRANSFERS = 50;

class Page {
  /**
   * @param {any} venue
   * @param {string|null} name of the account
   */
  constructor(venue, name) {
    this.venue = venue;
    this.name = name;
    this.account = new LiveAccount(name ?? "");
    /** @type {Map<string, bigint>|null} null until read */
    this.walletBalances = null;
    this.isClosed = false;
    const query = new URLSearchParams(location.search);
    this.direction = query.get("do") === "withdraw" ? "withdraw" : "deposit";
    this.build();
    const symbol = query.get("symbol");
    if (venue.tokens.some((token) => token.symbol === symbol)) this.token.value = symbol;
    this.setDirection(this.direction);
    if (name) this.start();
  }

  // -- form --

  build() {
    const direction = (name) => button(strings.directions[name], () => this.setDirection(name), { "aria-pressed": "false" });
    this.directions = { deposit: direction("deposit"), withdraw: direction("withdraw") };
    this.buildFields();
    this.steps = el("ol", { className: "steps" });
    this.notes = el("div", { className: "notes" });
    this.stepsTitle = el("h2", { id: "steps-title" });
    const cancel = (row) => import("./order-actions.js").then(({ takeBackWithdrawal }) => takeBackWithdrawal(this.venue, row));
    this.tables = { deposits: depositsTable(), withdrawals: withdrawalsTable(cancel) };
    const list = (key) => panel(key, strings[key], { content: [this.tables[key].node] });
    this.lists = { deposit: list("deposits"), withdraw: list("withdrawals") };
    this.alert = el("div", {});
    const account = this.name && el("span", { className: "muted" }, `@${this.name}`);
    byId("page").replaceChildren(
      el("div", { className: "head" }, el("h1", {}, strings.title), account),
      el("p", { className: "lead" }, strings.lead),
      this.alert,
      el(
        "div",
        { className: "transfer" },
        el("section", { className: "panel", "aria-label": strings.title }, this.form()),
        el(
          "section",
          { className: "panel", "aria-labelledby": "steps-title" },
          el("header", {}, this.stepsTitle),
          this.steps,
          this.notes,
        ),
      ),
    );
  }

  buildFields() {
    const options = this.venue.tokens.map(({ symbol, chain }) => el("option", { value: symbol }, strings.token(symbol, chain)));
    this.token = el("select", { id: "transfer-token", onchange: () => this.setDirection(this.direction) }, ...options);
    const oninput = () => this.refresh();
    this.unit = el("span");
    this.amount = field("transfer-amount", strings.amount, { ...NUMERIC, oninput }, { unit: this.unit });
    this.balance = el("span", {});
    this.max = button(strings.max, () => this.useMaximum(), { className: "plain" });
    this.amount.node.append(el("div", { className: "balance-row" }, this.balance, this.max));
    this.to = field("transfer-to", strings.to, { autocapitalize: "none", autocomplete: "off", maxlength: "17", oninput });
    this.memo = field("transfer-memo", strings.memo, { autocomplete: "off", maxlength: "256", oninput });
    this.details = el("dl", { className: "details" });
    this.note = el("p", { className: "hint bad", role: "alert" });
    this.submit = el("button", { type: "submit", className: "button main wide" });
  }

  form() {
    return el(
      "form",
      { className: "form", novalidate: true, autocomplete: "off", onsubmit: (event) => this.send(event) },
      el("div", { className: "segments", role: "group", "aria-label": strings.title }, ...Object.values(this.directions)),
      el("div", { className: "field" }, el("label", { htmlFor: "transfer-token" }, strings.tokenLabel), this.token),
      this.amount.node,
      this.to.node,
      this.memo.node,
      this.details,
      this.note,
      this.submit,
    );
  }

  /** @param {"deposit"|"withdraw"} direction */
  setDirection(direction) {
    this.direction = direction;
    const { symbol, chain, escrow } = this.chosenToken();
    for (const [name, node] of Object.entries(this.directions)) node.setAttribute("aria-pressed", String(name === direction));
    for (const { node } of [this.to, this.memo]) node.hidden = direction === "deposit";
    this.to.input.placeholder = this.name ?? "";
    setText(this.unit, symbol);
    setText(this.stepsTitle, strings.stepsTitle[direction]);
    const steps = strings.steps[direction](chain, symbol).map(([title, duration, text]) =>
      el("li", {}, el("b", {}, title), " ", el("span", { className: "duration" }, duration), text && el("p", {}, text)));
    this.steps.replaceChildren(...steps);
    this.notes.replaceChildren(...strings.notes[direction](chain, symbol, escrow).map((text) => el("p", {}, text)));
    this.showLists();
    this.showDetails();
    this.refresh();
  }

  // What the form starts is listed first.
  showLists() {
    const { deposit, withdraw } = this.lists;
    if (this.name) byId("page").append(...(this.direction === "deposit" ? [deposit, withdraw] : [withdraw, deposit]));
  }

  showDetails() {
    const { escrow, symbol, min_withdrawal: minimum } = this.chosenToken();
    const detail = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
    const copy = button(strings.copy, () => copyText(copy, escrow, strings.copied), { className: "plain" });
    const available = this.available();
    const details = this.direction === "deposit"
      ? [...detail(strings.escrow, `@${escrow}`, copy), ...detail(strings.fee, strings.none)]
      : [
          ...detail(strings.paidFrom, `@${escrow}`),
          ...detail(strings.fee, strings.none),
          ...detail(strings.minimum, `${trimmed(minimum)} ${symbol}`),
          ...detail(strings.available, available === null ? NONE : this.amountText(available)),
        ];
    this.details.replaceChildren(...details);
  }

  chosenToken() {
    return this.venue.tokens.find((token) => token.symbol === this.token.value);
  }

  amountText(amount) {
    const { symbol, precision } = this.chosenToken();
    return `${trimmed(show(amount, precision))} ${symbol}`;
  }

  // -- amounts --

  /** The available balance of the chosen token at the exchange in units; null until loaded. */
  available() {
    const { symbol, precision } = this.chosenToken();
    const available = this.account.available(symbol);
    return available === null ? null : units(available, precision);
  }

  /** The maximum: the wallet's balance for a deposit, the available one for a withdrawal; null if unknown. */
  maximum() {
    return this.direction === "deposit" ? this.walletBalances?.get(this.token.value) ?? null : this.available();
  }

  useMaximum() {
    const maximum = this.maximum();
    if (maximum === null) return;
    this.amount.input.value = plain(maximum, this.chosenToken().precision);
    this.refresh();
  }

  readAmount() {
    const { precision, symbol } = this.chosenToken();
    const { units: amount, problem } = parse(this.amount.input.value, precision);
    if (amount === undefined) return { problem };
    if (amount === 0n) return { problem: inputStrings.zero };
    const maximum = this.maximum();
    if (maximum !== null && amount > maximum) return { problem: strings.insufficient(this.direction, symbol) };
    return { amount };
  }

  refresh() {
    if (this.isClosed) return;
    const maximum = this.maximum();
    const isUnknown = maximum === null;
    setText(this.balance, isUnknown ? this.noBalanceText() : strings.balance(this.direction, this.amountText(maximum)));
    this.max.hidden = isUnknown || maximum === 0n;
    const { amount, problem } = this.readAmount();
    this.amount.setError(problem ?? "");
    for (const input of [this.to, this.memo]) input.setError("");
    setText(this.note, "");
    const what = amount === undefined ? "" : this.amountText(amount);
    setText(this.submit, this.name ? strings.submit(this.direction, what) : strings.chooseAccount);
  }

  noBalanceText() {
    if (!this.name) return "";
    const isLoading = this.direction === "deposit" ? this.walletBalances === null : this.account.balances === null;
    return isLoading ? strings.loading : strings.unknown(this.direction);
  }

  // -- signing --

  async send(event) {
    event.preventDefault();
    if (!this.name) {
      chooseAccount();
      return;
    }
    const { amount, problem } = this.readAmount();
    if (amount === undefined) {
      this.amount.setError(problem || inputStrings.required);
      this.amount.input.focus();
      return;
    }
    const [intents, { IntentError }, { review }] = await Promise.all([
      import("../wallet/intents.js"),
      import("../wallet/intent-checks.js"),
      import("../wallet/review-dialog.js"),
    ]);
    try {
      const isSent = await review(this.draft(intents, amount));
      if (isSent && !this.isClosed) this.clear();
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      const input = { to: this.to, memo: this.memo, quantity: this.amount }[error.field];
      if (input) {
        input.setError(error.message);
        input.input.focus();
      } else {
        setText(this.note, error.message);
      }
    }
  }

  draft({ deposit, withdraw }, amount) {
    const { symbol } = this.chosenToken();
    if (this.direction === "deposit") return deposit(this.venue, this.name, { symbol, units: amount });
    const to = this.to.input.value.trim().replace(/^@/, "");
    return withdraw(this.venue, this.name, { symbol, units: amount, all: this.isRest(amount), to, memo: this.memo.input.value });
  }

  // The whole balance may be withdrawn even if it is below the minimum, while no withdrawal is pending.
  isRest(amount) {
    const { symbol, precision, min_withdrawal: minimum } = this.chosenToken();
    const balance = this.account.balances?.get(symbol);
    return balance !== undefined && amount === units(balance.available, precision) && amount < units(minimum, precision);
  }

  clear() {
    for (const { input } of [this.amount, this.memo]) input.value = "";
    this.refresh();
  }

  // -- live data --

  start() {
    this.subscription = subscribe([`account:${this.name}`], (message) => this.onMessage(message));
    this.readLists();
    this.readWallet();
    this.timer = setInterval(() => document.hidden || this.readWallet(), WALLET_MS);
  }

  close() {
    this.isClosed = true;
    this.subscription?.close();
    clearInterval(this.timer);
    clearTimeout(this.listsTimer);
  }

  onMessage({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    for (const part of data.accounts ?? []) {
      if (!this.account.apply(kind, part)) continue;
      this.showDetails();
      this.refresh();
      this.scheduleLists();
    }
  }

  /** Read the lists and the wallet again after a burst of changes. */
  scheduleLists() {
    clearTimeout(this.listsTimer);
    this.listsTimer = setTimeout(() => {
      this.readLists();
      this.readWallet();
    }, LISTS_DELAY_MS);
  }

  async readLists() {
    const query = { user: this.name, limit: MAX_TRANSFERS };
    try {
      const [{ deposits }, { withdrawals }] = await Promise.all([read("deposits", query), read("withdrawals", query)]);
      if (this.isClosed) return;
      this.tables.deposits.show(deposits);
      this.tables.withdrawals.show(withdrawals);
      const due = deposits.filter((row) => row.status === "refund_due").length;
      const alert = due > 0 && el("p", { className: "banner warn", role: "status" }, strings.refundsDue(due));
      this.alert.replaceChildren(...(alert ? [alert] : []));
    } catch (error) {
      if (this.isClosed) return;
      this.alert.replaceChildren(el("div", { className: "panel" }, errorNote(error.message, () => this.readLists())));
    }
  }

  async readWallet() {
    const balances = await readWalletBalances(this.venue, this.name);
    if (this.isClosed) return;
    this.walletBalances = balances;
    this.refresh();
  }
}

mountShell("transfer");

/** @type {Page|null} */
let page = null;
let current;
onAccount(async (name) => {
  if (name === current) return;
  current = name;
  page?.close();
  page = null;
  try {
    const venue = await readVenue();
    if (name === current) page = new Page(venue, name);
  } catch (error) {
    const note = errorNote(error.message, () => location.reload());
    byId("page").replaceChildren(el("h1", {}, strings.title), el("div", { className: "panel" }, note));
  }
});
afterPaint(async () => {
  const pending = await import("../wallet/pending.js");
  pending.onChange((_, changed) => {
    if (changed?.state === "final") page?.scheduleLists();
  });
});
