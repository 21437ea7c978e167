// Portfolio screen of the chosen account; account.html?user= is the read-only view of any account.

import { read, readVenue } from "../data/api.js";
import { LiveAccount } from "../data/live-account.js";
import { onAccount } from "../data/session.js";
import { subscribe } from "../data/stream.js";
import { isAccount } from "../lib/account-name.js";
import { plain, show, units } from "../lib/amounts.js";
import { button, byId, el, setText } from "../lib/dom.js";
import { compact, NONE } from "../lib/format.js";
import { afterPaint, preloadLater, scheduleRender } from "../lib/render.js";
import { local } from "../lib/storage.js";
import { errorNote, panel } from "../lib/widgets.js";
import { chooseAccount, mountShell } from "../shell/shell.js";
import { portfolio as strings } from "../strings/account.js";
import { balancesTable } from "./balances-table.js";
import { conversionRates, valueOf } from "./valuation.js";

const HISTORY_DELAY_MS = 5000;
const TARGET_KEY = "peakedex.valuein";
const isOwn = !location.pathname.endsWith("/account.html");

/** @type {Page|null} */
let page = null;

function open(name, input = "") {
  page?.close();
  page = null;
  if (name) page = new Page(name);
  else if (isOwn) showMessage(strings.noAccount, button(strings.chooseAccount, chooseAccount, { className: "button main" }));
  else showMessage(strings.invalidName(input));
}

function showMessage(...content) {
  byId("page").replaceChildren(
    el("h1", {}, isOwn ? strings.title : strings.accountTitle),
    el("div", { className: "panel" }, el("div", { className: "error-note" }, ...content)),
  );
}

class Page {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.account = new LiveAccount(name);
    this.venue = null;
    this.pairs = [];
    this.isClosed = false;
    /** @type {import("./portfolio-sections.js").Sections|null} null until loaded */
    this.sections = null;
    this.build();
    this.subscription = subscribe([`account:${name}`], (message) => this.onMessage(message));
    afterPaint(() => this.load().finally(reportLoaded));
  }

  close() {
    this.isClosed = true;
    this.subscription.close();
    this.sections?.close();
  }

  build() {
    this.balances = balancesTable(isOwn);
    document.title = strings.documentTitle(isOwn ? strings.title : `@${this.name}`);
    const balances = panel("balances", strings.sections.balances, { content: [this.balances.node] });
    byId("page").replaceChildren(this.head(), this.lead(), balances);
  }

  head() {
    this.value = el("span", { className: "total" }, NONE);
    this.target = el("select", { "aria-label": strings.valueIn, onchange: () => this.chooseTarget() });
    const label = el("span", { className: "muted" }, `${strings.value} `);
    return el(
      "div",
      { className: "head" },
      el("h1", {}, isOwn ? strings.title : strings.accountTitle),
      el("span", { className: "muted" }, `@${this.name}`),
      el("span", { className: "spacer" }),
      el("span", { className: "portfolio-value" }, label, this.value, " ", this.target),
    );
  }

  lead() {
    if (!isOwn) return el("p", { className: "lead" }, strings.readOnly);
    const link = el("a", { href: `account.html?${new URLSearchParams({ user: this.name })}` }, strings.publicLink);
    return el("p", { className: "small muted" }, strings.public, " ", link);
  }

  async load() {
    preloadLater();
    try {
      this.venue = await readVenue();
      this.offerTargets();
      const { Sections } = await import("./portfolio-sections.js");
      if (this.isClosed) return;
      this.sections ??= new Sections(this.account, isOwn);
      scheduleRender(this.render);
      await this.readHistory();
    } catch (error) {
      this.showError(error);
    }
  }

  showError(error) {
    if (this.isClosed) return;
    this.error ??= el("div", { className: "panel" });
    const retry = () => {
      this.error.remove();
      this.load();
    };
    this.error.replaceChildren(errorNote(error.message, retry));
    byId("page").children[1].after(this.error);
  }

  onMessage({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    const isFirst = !this.account.balances; // a later snapshot may skip changes
    for (const part of data.accounts ?? []) {
      if (this.account.apply(kind, part) && !isFirst) this.scheduleHistory();
    }
    scheduleRender(this.render);
  }

  render = () => {
    const funds = this.account.funds();
    if (this.isClosed || !funds) return;
    this.balances.show(funds);
    this.showValue();
    // Only once the balances have their height, to avoid a layout shift.
    if (this.sections && !this.sections.nodes[0].isConnected) byId("page").append(...this.sections.nodes);
    this.sections?.render();
  };

  // The history is read again some seconds after a change, not at each change.
  scheduleHistory() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.readHistory().catch((error) => this.showError(error));
    }, HISTORY_DELAY_MS);
  }

  async readHistory() {
    const [{ pairs }] = await Promise.all([read("pairs"), this.sections?.read()]);
    if (this.isClosed) return;
    this.pairs = pairs;
    this.showValue();
  }

  offerTargets() {
    const symbols = [...new Set(this.venue.pairs.map((pair) => pair.quote))];
    this.target.replaceChildren(...symbols.map((symbol) => el("option", { value: symbol }, symbol)));
    const stored = local.getItem(TARGET_KEY);
    this.target.value = symbols.includes(stored) ? stored : (symbols[0] ?? "");
  }

  chooseTarget() {
    local.setItem(TARGET_KEY, this.target.value);
    this.showValue();
  }

  showValue() {
    const funds = this.account.funds();
    if (!this.venue || !funds || !this.pairs.length) return;
    const precision = (symbol) => this.venue.tokens.find((token) => token.symbol === symbol)?.precision ?? 0;
    const rates = conversionRates(this.venue, this.pairs, this.target.value);
    const values = funds.map((row) => valueOf(units(row.total, precision(row.symbol)), rates.get(row.symbol)));
    const sum = values.reduce((total, value) => total + (value ?? 0n), 0n);
    const decimals = precision(this.target.value);
    setText(this.value, `${values.includes(null) ? "≥ " : ""}${compact(plain(sum, decimals))}`);
    this.value.title = strings.valueTitle(`${show(sum, decimals)} ${this.target.value}`);
  }
}

let reportLoaded = () => {};
mountShell("portfolio", new Promise((resolve) => { reportLoaded = resolve; }));
if (isOwn) {
  let before;
  onAccount((name) => {
    if (name === before) return;
    before = name;
    open(name);
  });
} else {
  const name = new URLSearchParams(location.search).get("user") ?? "";
  open(isAccount(name) ? name : null, name);
}
