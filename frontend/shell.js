// What every screen has: the header with the state of the venue, banners, the foot, the choice of an account.

import { config } from "./config.js";
import { draw, make, write } from "./dom.js";
import { afterPaint } from "./paint.js";
import { readVenue } from "./api.js";
import { grouped } from "./amounts.js";
import { onAccount } from "./session.js";
import { shell as words } from "./strings.js";
import { latest, silence, subscribe } from "./stream.js";
import { span } from "./when.js";

/** Without a word from the server for so long, numbers are old. */
export const STALE_SECONDS = 10;
/** Blocks behind the chain from which market orders are off. */
export const BEHIND_BLOCKS = 20;
const PAGES = {
  markets: "./",
  trade: "trade.html",
  portfolio: "portfolio.html",
  transfer: "transfer.html",
  audit: "audit.html",
};

const parts = {};
const banners = new Map();
const root = document.documentElement;

/**
 * Draw the header and the foot of a page, and keep them true; show what becomes of the reader's intents.
 * @param {"markets"|"trade"|"portfolio"|"transfer"|"audit"|""} page
 */
export function shell(page) {
  const header = document.getElementById("shell");
  header.replaceChildren(
    brand(),
    nav(page),
    make("span", { className: "room" }),
    strip(),
    themeSwitch(),
    accountButton(),
  );
  parts.banners = make("div", { id: "banners" });
  header.after(parts.banners);
  document.body.append(foot());
  subscribe([], hear); // whatever the page itself asks for brings the head with it
  setInterval(checkSilence, 1000);
  afterPaint(() => {
    import("./life.js").then((life) => life.showIntents());
    import("./claims.js").then((claims) => claims.watchClaims());
  });
  readVenue().then(
    (venue) => {
      parts.network.textContent = words.network(venue.network);
      parts.network.hidden = false;
      parts.network.className = venue.network === "hive" ? "tag" : "tag warn";
      if (venue.network === "devnet") parts.network.title = words.devnet;
    },
    () => {},
  );
}

/** Open the dialog in which a reader names an account. */
export const chooseAccount = () => import("./chooser.js").then((chooser) => chooser.openChooser());

/**
 * Show a banner over the page, or take it away.
 * @param {string} id
 * @param {{kind: "warn"|"danger", text: string, link?: {href: string, text: string}, run?: () => void}|null} banner
 */
export function banner(id, banner) {
  const old = banners.get(id);
  if (!banner) {
    old?.remove();
    banners.delete(id);
    return;
  }
  if (old?.dataset.text === banner.text) return;
  const node = make(
    "div",
    { className: `banner ${banner.kind}`, role: "status", dataset: { text: banner.text } },
    make("span", {}, banner.text),
    banner.link && make("a", { href: banner.link.href }, banner.link.text),
    banner.run && make("button", { type: "button", className: "plain", onclick: banner.run }, words.retry),
  );
  if (old) old.replaceWith(node);
  else parts.banners.append(node);
  banners.set(id, node);
}

function brand() {
  const peak = draw(
    "svg",
    {
      viewBox: "0 0 24 24",
      "aria-hidden": "true",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "2",
      "stroke-linejoin": "round",
    },
    draw("path", { d: "M2 20 9 5l4.5 9 2.5-4 6 10Z" }),
  );
  return make("a", { className: "brand", href: "./" }, peak, words.brand);
}

function nav(page) {
  const links = Object.entries(PAGES).map(([name, href]) =>
    make("a", { href, "aria-current": name === page ? "page" : null }, words.pages[name]),
  );
  return make("nav", { className: "nav", "aria-label": words.menu }, ...links);
}

function strip() {
  parts.state = make("span", { className: "dot" }, words.states.connecting);
  parts.block = make("b", {}, "–");
  parts.lag = make("b", {}, "–");
  parts.journal = make("b", {}, "–");
  parts.journalLink = make("a", { href: "audit.html" }, `${words.journal} `, parts.journal);
  parts.network = make("span", { className: "tag", hidden: true });
  return make(
    "div",
    { className: "strip" },
    parts.state,
    make("span", {}, `${words.block} `, parts.block),
    make("span", { className: "wide" }, `${words.lag} `, parts.lag),
    make("span", { className: "wide" }, parts.journalLink),
    parts.network,
  );
}

function themeSwitch() {
  const icon = draw(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true", fill: "none", stroke: "currentColor", "stroke-width": "2" },
    draw("circle", { cx: "12", cy: "12", r: "8" }),
    draw("path", { d: "M12 4a8 8 0 0 0 0 16Z", fill: "currentColor" }),
  );
  return make(
    "button",
    {
      type: "button",
      className: "icon",
      "aria-label": words.theme,
      title: words.theme,
      onclick: () => root.dispatchEvent(new Event("themeswitch")),
    },
    icon,
  );
}

function accountButton() {
  const button = make("button", { type: "button", className: "button", onclick: chooseAccount });
  onAccount((name) => write(button, name ? `@${name}` : words.choose));
  return button;
}

function foot() {
  return make(
    "footer",
    { className: "foot" },
    make("span", {}, words.foot),
    make(
      "a",
      {
        href: "https://www.tradingview.com/",
        rel: "noopener",
        target: "_blank",
        hidden: !document.getElementById("chart"),
      },
      words.chart,
    ),
    make("a", { href: `${config.api}docs` }, words.source),
  );
}

function hear({ kind, data }) {
  if (kind === "state") showState();
  else if (kind === "head") showHead(data);
  else if (data.block !== undefined) {
    write(parts.block, data.block === null ? "–" : grouped(String(data.block)));
    showJournal(data.journal_hash);
  }
}

function showHead({ block, lag, mode, waiting_for: reason }) {
  if (block !== null) write(parts.block, grouped(String(block)));
  write(parts.lag, lag === null || lag === undefined ? "–" : grouped(String(lag)));
  banner("behind", lag > BEHIND_BLOCKS ? { kind: "warn", text: words.behind(grouped(String(lag))) } : null);
  const halted = mode === "stopped" ? words.stopped : reason ? words.waiting(reason) : "";
  banner("indexer", halted ? { kind: "warn", text: halted } : null);
  checkSilence();
}

function showJournal(hash) {
  if (!hash) return;
  write(parts.journal, hash.slice(0, 8));
  parts.journalLink.title = words.journalTitle(hash);
}

function showState() {
  const { state } = latest();
  if (!state) return;
  banner("broken", state.state === "broken" ? { kind: "danger", text: words.broken(state.reason) } : null);
  checkSilence();
}

// Numbers that nobody has confirmed for ten seconds are dimmed, and the strip says since when.
function checkSilence() {
  const { state } = latest();
  if (!state) return;
  const age = silence();
  const stale = age > STALE_SECONDS;
  root.classList.toggle("isstale", stale);
  const name = state.state;
  write(parts.state, stale ? words.states.stale(span(age)) : words.states[name]);
  parts.state.className = `dot ${stale || name === "broken" ? "broken" : name}`;
  parts.state.title = words.stateTitles[name];
}
