// The trader's own tables below the chart: open orders, past orders, trades, funds.

import { AccountPast } from "./accountpast.js";
import { make, write } from "./dom.js";
import { balances, openOrders, ownTrades, pastOrders } from "./ordertables.js";
import { ownPanel as words } from "./strings.js";

const TABS = ["open", "past", "trades", "funds"];
const AGAIN_MS = 3000;

export class OwnPanel {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("./amounts.js").Market} pair
   * @param {{cancel: (order: any) => void, replace: (order: any) => void,
   *   cancelAll: (where: {base?: string, quote?: string}) => void}} actions
   */
  constructor(root, pair, actions) {
    this.pair = pair;
    this.actions = actions;
    this.account = null;
    this.tab = "open";
    this.old = true;
    this.views = { open: openOrders(actions), past: pastOrders(), trades: ownTrades(), funds: balances(true) };
    this.buttons = Object.fromEntries(
      TABS.map((name) => [
        name,
        make(
          "button",
          {
            type: "button",
            role: "tab",
            id: `own-${name}`,
            "aria-controls": "own-panel",
            onclick: () => this.look(name),
          },
          words.tabs[name],
        ),
      ]),
    );
    this.here = make("input", { type: "checkbox", id: "own-here", onchange: () => this.look(this.tab) });
    this.all = make(
      "button",
      { type: "button", className: "plain signs", hidden: true, onclick: () => this.cancelAll() },
      words.cancelAll,
    );
    this.only = make(
      "label",
      { className: "check small muted", htmlFor: "own-here" },
      this.here,
      words.here(`${pair.base}/${pair.quote}`),
    );
    this.panel = make("div", { role: "tabpanel", id: "own-panel" });
    root.replaceChildren(
      make(
        "header",
        {},
        make("div", { className: "tabs", role: "tablist", "aria-label": words.title }, ...Object.values(this.buttons)),
        make("span", { className: "room" }),
        this.only,
        this.all,
      ),
      this.panel,
    );
    this.look("open");
  }

  /** @param {import("./accountdata.js").AccountData|null} account */
  choose(account) {
    this.account = account;
    this.past = account && new AccountPast(account.name);
    for (const name of ["past", "trades"]) this.views[name].show(null);
    this.look(this.tab);
  }

  look(name) {
    this.tab = name;
    for (const [key, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-selected", String(key === name));
      button.tabIndex = key === name ? 0 : -1;
    }
    this.panel.setAttribute("aria-labelledby", `own-${name}`);
    this.only.hidden = name === "funds" || !this.account;
    this.panel.replaceChildren(
      this.account ? this.views[name].node : make("p", { className: "empty" }, words.noAccount),
    );
    this.old = true;
    this.show();
  }

  /** Something of the account has changed. */
  dirty() {
    this.old = true;
  }

  where() {
    return this.here.checked ? { base: this.pair.base, quote: this.pair.quote } : {};
  }

  /** Bring the open tab up to date. */
  show() {
    if (!this.account) {
      write(this.buttons.open, words.tabs.open);
      this.all.hidden = true;
      return;
    }
    const open = this.account.open();
    const shown =
      open && this.here.checked
        ? open.filter((order) => order.base === this.pair.base && order.quote === this.pair.quote)
        : open;
    write(this.buttons.open, open?.length ? words.openCount(open.length) : words.tabs.open);
    this.all.hidden = this.tab !== "open" || !shown?.length;
    if (this.tab === "open") this.views.open.show(shown);
    else if (this.tab === "funds") this.views.funds.show(this.account.funds());
    else if (this.old) this.readPast();
  }

  // The past is asked for when it is looked at and something happened, every few seconds at most.
  async readPast() {
    if (this.reading) return;
    this.reading = true;
    this.old = false;
    const { account, past, tab } = this;
    const where = this.where();
    try {
      const rows = tab === "past" ? await past.orders(where) : await past.ownTrades(where);
      if (account === this.account && tab === this.tab) this.views[tab].show(rows);
    } catch (error) {
      this.panel.replaceChildren(
        make(
          "div",
          { className: "failed" },
          make("span", {}, error.message),
          make("button", { type: "button", className: "plain", onclick: () => this.look(tab) }, words.retry),
        ),
      );
    }
    const pause = account === this.account && tab === this.tab ? AGAIN_MS : 0;
    setTimeout(() => {
      this.reading = false;
      if (this.old) this.show();
    }, pause);
  }

  cancelAll() {
    this.actions.cancelAll(this.where());
  }
}
