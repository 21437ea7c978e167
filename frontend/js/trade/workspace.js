// The interactive part of the trading screen, loaded after the first paint: order ticket, account panel, chart,
// keyboard shortcuts, and the views and the order sheet of narrow screens.

import { account } from "../data/session.js";
import { latest, MAX_LAG_BLOCKS, secondsSinceMessage, STALE_SECONDS } from "../data/stream.js";
import { button, byId, el } from "../lib/dom.js";
import { chooseAccount } from "../shell/shell.js";
import { sides } from "../strings/common.js";
import { trade as strings } from "../strings/trade.js";
import { AccountPanel } from "./account-panel.js";
import { ChartPanel } from "./chart-panel.js";
import { OrderTicket } from "./order-ticket.js";

const narrow = matchMedia("(max-width: 720px)");

export class Workspace {
  /** @param {any} screen the trading screen: its pair, venue, interval, block, account, openBook(), ownOrders() and available() */
  constructor(screen) {
    const { pair, venue } = screen;
    this.ticket = new OrderTicket(
      byId("ticket"),
      { pair, venue, book: () => screen.openBook(), account, available: (symbol) => screen.available(symbol),
        ownOrders: () => screen.ownOrders(), openCount: () => screen.account?.openOrders()?.length ?? null, marketDisabled },
      { review: (draft, rests) => this.review(draft, rests), chooseAccount },
    );
    this.accountPanel = new AccountPanel(byId("account"), pair, {
      cancel: async (order) => (await orderActions()).cancelOrder(venue, order),
      replace: async (order) => (await orderActions()).replaceOrder(venue, order),
      cancelAll: async (filter) => (await orderActions()).cancelAllOrders(venue, filter),
    });
    this.accountPanel.setAccount(screen.account);
    this.chart = new ChartPanel(byId("chart"), pair, screen.interval, screen.block, (interval) => screen.setInterval(interval));
    /** Resolves when the modules of all panels have loaded. */
    this.loaded = this.chart.start();
    this.buildViews();
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.loaded.then(() => {
      import("./one-click-panel.js").then(({ OneClickPanel }) => new OneClickPanel(byId("ticket"), venue, pair));
      orderActions(); // so that the first click does not wait for it
    });
  }

  /** @param {import("../data/live-account.js").LiveAccount|null} account */
  setAccount(account) {
    this.accountPanel.setAccount(account);
    this.ticket.refresh();
  }

  render() {
    this.accountPanel.render();
    this.ticket.refresh();
  }

  /**
   * A level of the book was chosen.
   * @param {{side: "bids"|"asks", ticks: bigint, lots: bigint}} level
   */
  takeLevel(level) {
    this.ticket.takeLevel(level);
    if (narrow.matches) this.openSheet();
    else this.ticket.form.submit.focus({ preventScroll: true });
  }

  async review(draft, rests) {
    const { side } = this.ticket;
    const { review } = await import("../wallet/review-dialog.js");
    const isSent = await review(draft, { rests, side });
    if (isSent) this.closeSheet();
  }

  onKey(event) {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "Escape") this.closeSheet();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const run = { "/": openPairPicker, b: () => this.startOrder("buy"), s: () => this.startOrder("sell") }[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  startOrder(side) {
    this.ticket.setSide(side);
    if (narrow.matches) this.openSheet();
    this.ticket.focus();
  }

  // On narrow screens one view is visible at a time, and the ticket is a sheet above it.
  buildViews() {
    const select = (name) => {
      byId("grid").dataset.view = name;
      for (const node of byId("views").children) node.setAttribute("aria-pressed", String(node.dataset.view === name));
    };
    const views = Object.entries(strings.views);
    byId("views").append(...views.map(([name, text]) => button(text, () => select(name), { dataset: { view: name } })));
    select(views[0][0]);
    const start = (side) => button(sides[side], () => this.startOrder(side), { className: `button main is${side}` });
    byId("action-bar").append(start("buy"), start("sell"));
  }

  openSheet() {
    byId("ticket").classList.add("open");
    if (document.querySelector(".sheet-backdrop")) return;
    const close = () => this.closeSheet();
    byId("grid").append(el("div", { className: "sheet-backdrop", onclick: close }));
    byId("ticket").append(button("×", close, { className: "icon sheet-close", "aria-label": strings.closeTicket }));
  }

  closeSheet() {
    byId("ticket").classList.remove("open");
    for (const node of document.querySelectorAll(".sheet-backdrop, .sheet-close")) node.remove();
  }
}

const orderActions = () => import("../account/order-actions.js");

const openPairPicker = () => import("./pair-picker.js").then((picker) => picker.openPairPicker());

// Market orders need a current book. Returns the reason why they are disabled, else "".
function marketDisabled() {
  const { state, head } = latest();
  if (head?.lag > MAX_LAG_BLOCKS) return strings.marketBehind;
  return state?.state === "broken" || secondsSinceMessage() > STALE_SECONDS ? strings.marketStale : "";
}
