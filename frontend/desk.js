// Where the trader works: the ticket, the own tables, the chart, the keys. Loaded after the first paint.

import { askCancel, askCancelAll, askReplace, review } from "./actions.js";
import { Chart } from "./chart.js";
import { byId, make } from "./dom.js";
import { OwnPanel } from "./ownpanel.js";
import { account } from "./session.js";
import { BEHIND_BLOCKS, STALE_SECONDS, chooseAccount } from "./shell.js";
import { latest, silence } from "./stream.js";
import { trade as words } from "./strings.js";
import { Ticket } from "./ticket.js";
import { isBusy, onWallet } from "./wallet.js";

const VIEWS = ["chart", "book", "trades", "orders"];
const narrow = matchMedia("(max-width: 720px)");

export class Desk {
  /** @param {any} screen the trading screen, with its pair, venue, book and account */
  constructor(screen) {
    const { pair, venue } = screen;
    this.ticket = new Ticket(
      byId("ticket"),
      {
        pair,
        venue,
        book: () => (screen.known ? screen.book : null),
        account,
        available: (symbol) => screen.available(symbol),
        marketOff,
      },
      { review: (draft, rests) => this.review(draft, rests), choose: chooseAccount },
    );
    this.own = new OwnPanel(byId("own"), pair, {
      cancel: (order) => askCancel(venue, order),
      replace: (order) => askReplace(venue, order),
      cancelAll: (where) => askCancelAll(venue, where),
    });
    this.own.choose(screen.account);
    this.chart = new Chart(byId("chart"), pair, screen.interval, (interval) => screen.look(interval));
    this.chart.start();
    this.offerViews();
    showProof();
    onWallet(() => document.body.classList.toggle("signing", isBusy()));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {import("./accountdata.js").AccountData|null} data */
  choose(data) {
    this.own.choose(data);
    this.ticket.refresh();
  }

  /** Bring the ticket and the tables up to date. */
  show() {
    this.own.show();
    this.ticket.refresh();
  }

  /**
   * A level of the book was chosen.
   * @param {{side: "bids"|"asks", ticks: bigint, lots: bigint}} level
   */
  take(level) {
    this.ticket.fill(level);
    if (narrow.matches) this.openSheet();
    else this.ticket.submit.focus({ preventScroll: true });
  }

  async review(draft, rests) {
    const sent = await review(draft, { rests, side: this.ticket.side });
    if (sent) this.closeSheet();
  }

  key(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "Escape") this.closeSheet();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const run = { "/": pickPair, b: () => this.turn("buy"), s: () => this.turn("sell") }[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  turn(side) {
    this.ticket.turn(side);
    if (narrow.matches) this.openSheet();
    this.ticket.focus();
  }

  // On narrow screens one view stands at a time, and the ticket is a sheet above it.
  offerViews() {
    const look = (name) => {
      byId("grid").dataset.view = name;
      for (const button of byId("views").children) {
        button.setAttribute("aria-pressed", String(button.dataset.view === name));
      }
    };
    byId("views").append(
      ...VIEWS.map((name) =>
        make("button", { type: "button", dataset: { view: name }, onclick: () => look(name) }, words.views[name]),
      ),
    );
    look(VIEWS[0]);
    const turn = (side) => {
      const className = `button main is${side}`;
      return make("button", { type: "button", className, onclick: () => this.turn(side) }, words[side]);
    };
    byId("sidebar").append(turn("buy"), turn("sell"));
  }

  openSheet() {
    byId("ticket").classList.add("open");
    if (document.querySelector(".sheetback")) return;
    const label = words.closeTicket;
    const close = () => this.closeSheet();
    byId("grid").append(make("button", { type: "button", className: "sheetback", "aria-label": label, onclick: close }));
  }

  closeSheet() {
    byId("ticket").classList.remove("open");
    document.querySelector(".sheetback")?.remove();
  }
}

const pickPair = () => import("./picker.js").then((picker) => picker.openPicker());

function showProof() {
  byId("proof").replaceChildren(
    make("header", {}, make("h2", { id: "proof-title" }, words.proofTitle)),
    make(
      "div",
      { className: "body" },
      make("p", {}, words.proof),
      make("p", {}, make("a", { href: "audit.html" }, words.proofLink)),
    ),
  );
}

// Market orders need a book that is true: they are off where it may not be.
function marketOff() {
  const { state, head } = latest();
  if (head?.lag > BEHIND_BLOCKS) return words.marketBehind;
  return state?.state === "broken" || silence() > STALE_SECONDS ? words.marketBroken : "";
}
