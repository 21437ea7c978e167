// Deposit and withdraw. Each token goes by the means that fits it; the page says where it goes and what comes next.

import { AccountData } from "./accountdata.js";
import { brief, parse, plain, show, units } from "./amounts.js";
import { read, readVenue } from "./api.js";
import { byId, copy, make, write } from "./dom.js";
import { onAccount } from "./session.js";
import { afterPaint } from "./paint.js";
import { chooseAccount, shell } from "./shell.js";
import { subscribe } from "./stream.js";
import { transfer as words } from "./strings.js";
import { deposits, withdrawals } from "./transfertables.js";
import { walletFunds } from "./walletfunds.js";

const LATER_MS = 1500;
const WALLET_MS = 10_000;
const NEWEST = 50;
const SYMBOL = /^[A-Z]{1,10}(\.[A-Z]{1,10})?$/;

/** Whether a signature is under way; the wallet's module comes after the first paint. */
let isBusy = () => false;

class Page {
  /**
   * @param {any} venue
   * @param {string|null} name
   */
  constructor(venue, name) {
    this.venue = venue;
    this.name = name;
    this.funds = new AccountData(name ?? "");
    this.wallet = new Map();
    this.closed = false;
    const asked = new URLSearchParams(location.search);
    const symbol = asked.get("symbol") ?? "";
    this.way = asked.get("do") === "withdraw" ? "withdraw" : "deposit";
    this.build();
    if (SYMBOL.test(symbol) && venue.tokens.some((token) => token.symbol === symbol)) this.token.value = symbol;
    this.turn(this.way);
    if (name) this.start();
  }

  // -- the form --

  build() {
    this.ways = Object.fromEntries(["deposit", "withdraw"].map((way) => [way, make("button", {
      type: "button", "aria-pressed": "false", onclick: () => this.turn(way),
    }, words.ways[way])]));
    this.token = make("select", { id: "transfer-token", onchange: () => this.turn(this.way) },
      ...this.venue.tokens.map(({ symbol, chain }) => make("option", { value: symbol }, words.token(symbol, chain))));
    this.amount = this.field("amount", words.amount, { inputmode: "decimal", className: "number", placeholder: "0" });
    this.unit = make("span", { className: "unit" });
    this.amount.input.after(this.unit);
    this.have = make("span", {});
    this.max = make("button", { type: "button", className: "plain", onclick: () => this.takeAll() }, words.max);
    this.amount.node.append(make("div", { className: "beside" }, this.have, this.max));
    this.to = this.field("to", words.to, { autocapitalize: "none", autocomplete: "off", maxlength: "17" });
    this.memo = this.field("memo", words.memo, { autocomplete: "off", maxlength: "256" });
    this.facts = make("dl", { className: "to" });
    this.note = make("p", { className: "hint bad", role: "alert" });
    this.submit = make("button", { type: "submit", className: "button main wide" });
    this.form = make("form", { className: "form", novalidate: true, autocomplete: "off", onsubmit: (event) => this.send(event) },
      make("div", { className: "segments", role: "group", "aria-label": words.title }, this.ways.deposit, this.ways.withdraw),
      make("div", { className: "field" }, make("label", { htmlFor: "transfer-token" }, words.tokenLabel), this.token),
      this.amount.node, this.to.node, this.memo.node, this.facts, this.note, this.submit);
    this.stages = make("ol", { className: "stages" });
    this.notes = make("div", { className: "notes" });
    this.stagesTitle = make("h2", { id: "stages-title" });
    this.tables = { deposits: deposits(), withdrawals: withdrawals() };
    const past = (key) => make("section", { className: "panel", "aria-labelledby": `${key}-title` },
      make("header", {}, make("h2", { id: `${key}-title` }, words[key])), this.tables[key].node);
    this.alert = make("div", {});
    byId("page").replaceChildren(
      make("div", { className: "head" }, make("h1", {}, words.title), this.name && make("span", { className: "muted" }, `@${this.name}`)),
      make("p", { className: "lead" }, words.lead),
      this.alert,
      make("div", { className: "way" },
        make("section", { className: "panel", "aria-label": words.title }, this.form),
        make("section", { className: "panel", "aria-labelledby": "stages-title" }, make("header", {}, this.stagesTitle), this.stages, this.notes)),
      ...(this.name ? [past("deposits"), past("withdrawals")] : []));
  }

  field(name, label, attributes) {
    const id = `transfer-${name}`;
    const hint = make("p", { className: "hint bad", id: `${id}-hint`, hidden: true });
    const input = make("input", { id, spellcheck: "false", "aria-describedby": `${id}-hint`, oninput: () => this.refresh(), ...attributes });
    const node = make("div", { className: "field" }, make("label", { htmlFor: id }, label), make("div", { className: "input" }, input), hint);
    return { node, input, hint };
  }

  /** @param {"deposit"|"withdraw"} way */
  turn(way) {
    this.way = way;
    const { symbol, chain, escrow } = this.chosen();
    for (const [name, button] of Object.entries(this.ways)) button.setAttribute("aria-pressed", String(name === way));
    const isOut = way === "withdraw";
    this.to.node.hidden = !isOut;
    this.memo.node.hidden = !isOut;
    this.to.input.placeholder = this.name ?? "";
    write(this.unit, symbol);
    write(this.stagesTitle, words.next[way]);
    this.stages.replaceChildren(...words.stages[way](chain, symbol).map(([title, took, text]) =>
      make("li", {}, make("b", {}, title), " ", make("span", { className: "took" }, took), text && make("p", {}, text))));
    this.notes.replaceChildren(...words.notes[way](chain, symbol, escrow).map((text) => make("p", {}, text)));
    this.showFacts();
    this.refresh();
  }

  showFacts() {
    const { symbol, escrow } = this.chosen();
    const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
    const copying = make("button", { type: "button", className: "plain", onclick: () => copy(copying, escrow, words.copied) }, words.copy);
    this.facts.replaceChildren(...(this.way === "deposit"
      ? [...fact(words.escrow, `@${escrow}`, copying), ...fact(words.fee, words.none)]
      : [...fact(words.paidFrom, `@${escrow}`), ...fact(words.fee, words.none), ...fact(words.available, this.availableText(symbol))]));
  }

  chosen() {
    return this.venue.tokens.find((token) => token.symbol === this.token.value);
  }

  // -- what is there --

  available(symbol) {
    const { precision } = this.venue.tokens.find((token) => token.symbol === symbol);
    if (!this.funds.balances) return null;
    const row = this.funds.balances.get(symbol);
    return row ? units(row.available, precision) : 0n;
  }

  availableText(symbol) {
    const have = this.available(symbol);
    return have === null ? "–" : `${brief(show(have, this.chosen().precision))} ${symbol}`;
  }

  /** What the form can take from: the wallet for a deposit, the venue for a withdrawal; null where unknown. */
  limit() {
    const { symbol } = this.chosen();
    return this.way === "deposit" ? this.wallet.get(symbol) ?? null : this.available(symbol);
  }

  takeAll() {
    const limit = this.limit();
    if (limit === null) return;
    this.amount.input.value = plain(limit, this.chosen().precision);
    this.refresh();
  }

  read() {
    const { precision, symbol } = this.chosen();
    const { units: amount, problem, empty } = parse(this.amount.input.value, precision);
    if (amount === undefined) return { problem: empty ? "" : problem };
    if (amount === 0n) return { problem: words.zero };
    const limit = this.limit();
    if (limit !== null && amount > limit) return { problem: words.short(this.way, symbol) };
    return { amount };
  }

  refresh() {
    if (this.closed) return;
    const { symbol, precision } = this.chosen();
    const limit = this.limit();
    write(this.have, limit === null ? words.unknown(this.way) : words.have(this.way, `${brief(show(limit, precision))} ${symbol}`));
    this.max.hidden = limit === null || limit === 0n;
    const { amount, problem } = this.read();
    this.complain(this.amount, problem ?? "");
    for (const field of [this.to, this.memo]) this.complain(field, "");
    write(this.note, "");
    const what = amount === undefined ? "" : `${brief(show(amount, precision))} ${symbol}`;
    write(this.submit, this.name ? words.submit(this.way, what) : words.choose);
    this.submit.disabled = this.name !== null && isBusy();
  }

  complain(field, problem) {
    field.hint.hidden = !problem;
    write(field.hint, problem);
    field.node.classList.toggle("wrong", Boolean(problem));
    field.input.toggleAttribute("aria-invalid", Boolean(problem));
  }

  async send(event) {
    event.preventDefault();
    if (!this.name) {
      chooseAccount();
      return;
    }
    const { amount, problem } = this.read();
    if (amount === undefined) {
      this.complain(this.amount, problem || words.missing);
      this.amount.input.focus();
      return;
    }
    const [intents, { review }] = await Promise.all([import("./intents.js"), import("./review.js")]);
    try {
      const sent = await review(this.draft(intents, amount));
      if (sent && !this.closed) this.clear();
    } catch (error) {
      if (!(error instanceof intents.IntentError)) throw error;
      const field = { to: this.to, memo: this.memo, quantity: this.amount }[error.field];
      if (field) {
        this.complain(field, error.message);
        field.input.focus();
      } else {
        write(this.note, error.message);
      }
    }
  }

  draft({ deposit, withdraw }, amount) {
    const { symbol } = this.chosen();
    if (this.way === "deposit") return deposit(this.venue, this.name, { symbol, units: amount });
    const to = this.to.input.value.trim().replace(/^@/, "");
    return withdraw(this.venue, this.name, { symbol, units: amount, to, memo: this.memo.input.value });
  }

  clear() {
    for (const field of [this.amount, this.memo]) field.input.value = "";
    this.refresh();
  }

  // -- live --

  start() {
    this.subscription = subscribe([`account:${this.name}`], (message) => this.hear(message));
    this.load();
    this.readWallet();
    this.timer = setInterval(() => document.hidden || this.readWallet(), WALLET_MS);
  }

  close() {
    this.closed = true;
    this.subscription?.close();
    clearInterval(this.timer);
    clearTimeout(this.later);
  }

  hear({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    for (const part of data.accounts ?? []) {
      if (part.user !== this.name) continue;
      if (kind === "snapshot") this.funds.load(part);
      else this.funds.change(part);
      this.showFacts();
      this.refresh();
      this.soon();
    }
  }

  /** Read the lists again when the dust has settled. */
  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.load();
      this.readWallet();
    }, LATER_MS);
  }

  async load() {
    try {
      const user = this.name;
      const [ins, outs] = await Promise.all([read("deposits", { user, limit: NEWEST }), read("withdrawals", { user, limit: NEWEST })]);
      if (this.closed) return;
      this.tables.deposits.show(ins.deposits);
      this.tables.withdrawals.show(outs.withdrawals);
      const due = ins.deposits.filter((row) => row.status === "refund_due").length;
      this.alert.replaceChildren(...(due ? [make("p", { className: "banner warn", role: "status" }, words.refundsDue(due))] : []));
    } catch (error) {
      if (this.closed) return;
      const retry = make("button", { type: "button", className: "plain", onclick: () => this.load() }, words.retry);
      this.alert.replaceChildren(make("div", { className: "panel" }, make("div", { className: "failed", role: "status" }, error.message, retry)));
    }
  }

  async readWallet() {
    const found = await walletFunds(this.venue, this.name);
    if (this.closed) return;
    this.wallet = found;
    this.refresh();
  }
}

shell("transfer");

/** @type {Page|null} */
let page = null;
let now;
onAccount(async (name) => {
  if (name === now) return;
  now = name;
  page?.close();
  page = null;
  try {
    const venue = await readVenue();
    if (name === now) page = new Page(venue, name);
  } catch (error) {
    const retry = make("button", { type: "button", className: "plain", onclick: () => location.reload() }, words.retry);
    byId("page").replaceChildren(make("h1", {}, words.title), make("div", { className: "panel" }, make("div", { className: "failed", role: "status" }, error.message, retry)));
  }
});
afterPaint(async () => {
  const [wallet, pending] = await Promise.all([import("./wallet.js"), import("./pending.js")]);
  isBusy = wallet.isBusy;
  wallet.onWallet(() => page?.refresh());
  pending.onChange((_, changed) => {
    if (changed?.state === "final") page?.soon();
  });
});
