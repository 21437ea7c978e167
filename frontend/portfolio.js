// The Portfolio of the reader's account, and with ?user= the same of any account, to look at only.

import { AccountData } from "./accountdata.js";
import { AccountPast } from "./accountpast.js";
import { plain, show, units } from "./amounts.js";
import { read, readVenue } from "./api.js";
import { byId, make, write } from "./dom.js";
import { NONE, short } from "./figures.js";
import { balances, openOrders, ownTrades, pastOrders } from "./ordertables.js";
import { paint } from "./paint.js";
import { proofCard } from "./proofcard.js";
import { isAccount, onAccount } from "./session.js";
import { chooseAccount, shell } from "./shell.js";
import { subscribe } from "./stream.js";
import { portfolio as words } from "./strings.js";
import { deposits, withdrawals } from "./transfertables.js";
import { rates, valueOf } from "./value.js";

const LATER_MS = 5000;
const TARGET = "peakedex.valuein";
const isOwn = !location.pathname.endsWith("/account.html");

/** @type {Page|null} */
let page = null;

function open(name, asked = "") {
  page?.close();
  page = null;
  if (name) page = new Page(name);
  else if (isOwn)
    refuse(
      words.noAccount,
      make("button", { type: "button", className: "button main", onclick: chooseAccount }, words.choose),
    );
  else refuse(words.noSuchName(asked));
}

function refuse(...what) {
  byId("page").replaceChildren(
    make("h1", {}, isOwn ? words.title : words.accountTitle),
    make("div", { className: "panel" }, make("div", { className: "failed" }, ...what)),
  );
}

class Page {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.data = new AccountData(name);
    this.past = new AccountPast(name);
    this.venue = null;
    this.pairs = [];
    this.build();
    this.subscription = subscribe([`account:${name}`], (message) => this.hear(message));
    this.start();
  }

  close() {
    this.closed = true;
    this.subscription.close();
  }

  build() {
    const { name } = this;
    const act = (name, what) => import("./actions.js").then((actions) => actions[name](this.venue, what));
    const actions = isOwn
      ? { cancel: (order) => act("askCancel", order), replace: (order) => act("askReplace", order) }
      : null;
    this.tables = {
      funds: balances(isOwn),
      open: openOrders(actions),
      deposits: deposits(),
      withdrawals: withdrawals(),
      past: pastOrders(),
      trades: ownTrades(),
    };
    this.total = make("span", { className: "total" }, NONE);
    this.target = make("select", { "aria-label": words.valueIn, onchange: () => this.chooseTarget() });
    this.cancelAll = make(
      "button",
      { type: "button", className: "plain signs", hidden: true, onclick: () => act("askCancelAll", {}) },
      words.cancelAll,
    );
    this.csv = make(
      "button",
      { type: "button", className: "plain", disabled: true, onclick: () => this.save() },
      words.csv,
    );
    const panel = (key, ...tools) =>
      make(
        "section",
        { className: "panel", "aria-labelledby": `${key}-title` },
        make(
          "header",
          {},
          make("h2", { id: `${key}-title` }, words.sections[key]),
          make("span", { className: "room" }),
          ...tools,
        ),
        this.tables[key].node,
      );
    document.title = words.documentTitle(isOwn ? words.title : `@${name}`);
    byId("page").replaceChildren(
      make(
        "div",
        { className: "head" },
        make("h1", {}, isOwn ? words.title : words.accountTitle),
        make("span", { className: "muted" }, `@${name}`),
        make("span", { className: "room" }),
        make(
          "span",
          { className: "worth" },
          make("span", { className: "muted" }, `${words.worth} `),
          this.total,
          " ",
          this.target,
        ),
      ),
      isOwn
        ? make(
            "p",
            { className: "small muted" },
            words.public,
            " ",
            make("a", { href: `account.html?${new URLSearchParams({ user: name })}` }, words.publicLink),
          )
        : make("p", { className: "lead" }, words.readOnly),
      panel("funds"),
    );
    // Shown below the balances once these have their height, so that nothing moves under the reader's eyes.
    this.below = [
      panel("open", ...(isOwn ? [this.cancelAll] : [])),
      panel("withdrawals"),
      panel("deposits"),
      panel("trades", this.csv),
      panel("past"),
      proofCard(name),
    ];
  }

  async start() {
    try {
      this.venue = await readVenue();
      this.offerTargets();
      await this.readPast();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    if (this.closed) return;
    this.note ??= make("div", { className: "panel" });
    this.note.replaceChildren(
      make(
        "div",
        { className: "failed", role: "status" },
        error.message,
        make(
          "button",
          {
            type: "button",
            className: "plain",
            onclick: () => {
              this.note.remove();
              this.start();
            },
          },
          words.retry,
        ),
      ),
    );
    byId("page").children[1].after(this.note);
  }

  hear({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    for (const part of data.accounts ?? []) {
      if (part.user !== this.name) continue;
      if (kind === "snapshot") this.data.load(part);
      else {
        this.data.change(part);
        this.later();
      }
    }
    paint(this.draw);
  }

  draw = () => {
    if (this.closed) return;
    const open = this.data.open();
    if (!open) return;
    this.tables.funds.show(this.data.funds());
    this.tables.open.show(open);
    this.cancelAll.hidden = !open?.length;
    this.showWorth();
    if (!this.below[0].isConnected) byId("page").append(...this.below);
  };

  // The past is read again some seconds after something happened, not at each event.
  later() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.readPast().catch((error) => this.fail(error));
    }, LATER_MS);
  }

  async readPast() {
    const user = this.name;
    const [pairs, ins, outs, past, trades] = await Promise.all([
      read("pairs"),
      read("deposits", { user, limit: 100 }),
      read("withdrawals", { user, limit: 100 }),
      this.past.orders(),
      this.past.ownTrades(),
    ]);
    if (this.closed) return;
    this.pairs = pairs.pairs;
    this.fills = trades;
    this.csv.disabled = trades.length === 0;
    this.tables.deposits.show(ins.deposits);
    this.tables.withdrawals.show(outs.withdrawals);
    this.tables.past.show(past);
    this.tables.trades.show(trades);
    this.showWorth();
  }

  offerTargets() {
    const symbols = [...new Set(this.venue.pairs.map((pair) => pair.quote))];
    this.target.replaceChildren(...symbols.map((symbol) => make("option", { value: symbol }, symbol)));
    const kept = localStorage.getItem(TARGET);
    this.target.value = symbols.includes(kept) ? kept : (symbols[0] ?? "");
  }

  chooseTarget() {
    localStorage.setItem(TARGET, this.target.value);
    this.showWorth();
  }

  showWorth() {
    const funds = this.data.funds();
    if (!this.venue || !funds || !this.pairs.length) return;
    const precision = (symbol) => this.venue.tokens.find((token) => token.symbol === symbol)?.precision ?? 0;
    const known = rates(this.venue, this.pairs, this.target.value);
    const worth = funds.map((row) => valueOf(units(row.total, precision(row.symbol)), known.get(row.symbol)));
    const sum = worth.reduce((total, value) => total + (value ?? 0n), 0n);
    write(this.total, `${worth.includes(null) ? "≥ " : ""}${short(plain(sum, precision(this.target.value)))}`);
    this.total.title = words.worthTitle(`${show(sum, precision(this.target.value))} ${this.target.value}`);
  }

  save() {
    const head = ["id", "time", "pair", "side", "role", "price", "amount", "total", "fee", "fee_symbol"];
    const lines = this.fills.map((fill) => [
      fill.id,
      fill.ts,
      `${fill.base}/${fill.quote}`,
      fill.side,
      fill.role,
      fill.price,
      fill.amount,
      fill.quote_amount,
      fill.fee,
      fill.side === "buy" ? fill.base : fill.quote,
    ]);
    const text = [head, ...lines].map((line) => `${line.join(",")}\n`).join("");
    const link = make("a", {
      href: URL.createObjectURL(new Blob([text], { type: "text/csv" })),
      download: `peakedex-${this.name}-trades.csv`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

shell("portfolio");
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
