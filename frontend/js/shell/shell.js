// The page shell: header with navigation and connection status, banners, footer, and the account dialog.

import "./frame.js";
import { apiUrl, readVenue } from "../data/api.js";
import { onAccount } from "../data/session.js";
import { latest, MAX_LAG_BLOCKS, secondsSinceMessage, STALE_SECONDS, subscribe } from "../data/stream.js";
import { grouped } from "../lib/amounts.js";
import { button, byId, el, setText, svg } from "../lib/dom.js";
import { age, NONE } from "../lib/format.js";
import { afterPaint } from "../lib/render.js";
import { isKept } from "../lib/storage.js";
import { shell as strings } from "../strings/shell.js";
import { mountBanners, setBanner } from "./banners.js";

const PAGES = {
  markets: "./",
  trade: "trade.html",
  portfolio: "portfolio.html",
  transfer: "transfer.html",
  audit: "audit.html",
};

/** Notifications and alerts wait so long for the page's own content. */
const MAX_CONTENT_MS = 3000;

const parts = {};
const root = document.documentElement;

/**
 * Build the header and footer and keep the status up to date; load notifications and integrity alerts after the page's
 * content.
 * @param {"markets"|"trade"|"portfolio"|"transfer"|"audit"|"status"} page
 * @param {Promise<any>} [content] resolves when the page's own modules have loaded
 */
export function mountShell(page, content = Promise.resolve()) {
  const header = byId("header");
  const spacer = el("span", { className: "spacer" });
  const nav = navigation(page);
  header.replaceChildren(brand(), menuButton(header, nav), nav, spacer, statusBar(), themeButton(), accountButton());
  mountBanners(header);
  if (!isKept) setBanner("storage", { kind: "warn", text: strings.notKept });
  document.body.append(footer());
  subscribe([], onMessage); // the page's own subscription brings the head
  setInterval(updateStaleness, 1000);
  const tooLate = new Promise((resolve) => setTimeout(resolve, MAX_CONTENT_MS));
  Promise.race([content, tooLate]).then(() => afterPaint(() => {
    import("../wallet/notifications.js").then(({ showNotifications }) => showNotifications());
    import("../wallet/one-click-choice.js").then(({ anyOfflineTimer }) => anyOfflineTimer() && startOfflineTimer());
    import("./integrity-alerts.js").then(({ showIntegrity }) => showIntegrity());
    import("./load-failures.js").then(({ reportLoadFailures }) => reportLoadFailures());
  }));
  readVenue().then(showNetwork, () => {}); // the page itself reports a failure
}

const startOfflineTimer = () => import("../wallet/offline-timer.js").then(({ keepTimerArmed }) => keepTimerArmed());

/** Open the dialog that chooses an account. */
export const chooseAccount = () => import("./account-dialog.js").then(({ openAccountDialog }) => openAccountDialog());

function brand() {
  const peak = icon(svg("path", { d: "M2 20 9 5l4.5 9 2.5-4 6 10Z", "stroke-linejoin": "round" }));
  return el("a", { className: "brand", href: "./" }, peak, el("span", {}, strings.brand));
}

function icon(...shapes) {
  const attributes = { viewBox: "0 0 24 24", "aria-hidden": "true", fill: "none", stroke: "currentColor", "stroke-width": "2" };
  return svg("svg", attributes, ...shapes);
}

function navigation(page) {
  const links = Object.entries(PAGES).map(([name, href]) =>
    el("a", { href, "aria-current": name === page ? "page" : null }, strings.pages[name]),
  );
  return el("nav", { className: "nav", id: "nav", "aria-label": strings.menu }, ...links);
}

// On narrow screens the navigation opens below the header.
function menuButton(header, nav) {
  const toggle = () => node.setAttribute("aria-expanded", String(header.classList.toggle("open")));
  const bars = icon(svg("path", { d: "M4 7h16M4 12h16M4 17h16", "stroke-linecap": "round" }));
  const node = button(bars, toggle, { className: "icon menu", "aria-label": strings.openMenu, "aria-expanded": "false", "aria-controls": nav.id });
  return node;
}

function statusBar() {
  parts.state = el("span", { className: "dot" }, strings.states.connecting);
  parts.block = el("b", {}, NONE);
  parts.lag = el("b", {}, NONE);
  parts.journal = el("b", {}, NONE);
  parts.journalLink = el("a", { href: "audit.html" }, `${strings.journal} `, parts.journal);
  parts.network = el("span", { className: "tag", hidden: true });
  return el(
    "div",
    { className: "status-bar" },
    parts.state,
    el("span", {}, `${strings.block} `, parts.block),
    el("span", { className: "wide" }, `${strings.lag} `, parts.lag),
    el("span", { className: "wide" }, parts.journalLink),
    parts.network,
  );
}

function themeButton() {
  const halfDisc = svg("path", { d: "M12 4a8 8 0 0 0 0 16Z", fill: "currentColor" });
  const toggle = () => root.dispatchEvent(new Event("themeswitch"));
  return button(icon(svg("circle", { cx: "12", cy: "12", r: "8" }), halfDisc), toggle, { className: "icon", "aria-label": strings.theme, title: strings.theme });
}

function accountButton() {
  const node = button("", chooseAccount, { className: "button" });
  onAccount((name) => setText(node, name ? `@${name}` : strings.chooseAccount));
  return node;
}

function footer() {
  const hasChart = document.getElementById("chart") !== null;
  return el(
    "footer",
    { className: "footer" },
    el("span", {}, strings.footer),
    hasChart && el("a", { href: "https://www.tradingview.com/", rel: "noopener", target: "_blank" }, strings.charts),
    el("a", { href: "status.html" }, strings.status),
    el("a", { href: apiUrl("docs") }, strings.api),
  );
}

function showNetwork({ network }) {
  setText(parts.network, strings.network(network));
  parts.network.hidden = false;
  parts.network.className = network === "hive" ? "tag" : "tag warn";
  if (network === "devnet") parts.network.title = strings.devnet;
}

function onMessage({ kind, data }) {
  if (kind === "state") showState(data);
  else if (kind === "head") showHead(data);
  else if (data.block !== undefined) {
    setText(parts.block, data.block === null ? NONE : grouped(String(data.block)));
    showJournal(data.journal_hash);
  }
}

function showHead({ block, lag, mode, waiting_for: reason }) {
  if (block !== null) setText(parts.block, grouped(String(block)));
  setText(parts.lag, lag === null || lag === undefined ? NONE : grouped(String(lag)));
  setBanner("behind", lag > MAX_LAG_BLOCKS ? { kind: "warn", text: strings.behind(grouped(String(lag))) } : null);
  const halted = mode === "stopped" ? strings.stopped : reason ? strings.waiting(reason) : "";
  setBanner("indexer", halted ? { kind: "warn", text: halted } : null);
  updateStaleness();
}

function showJournal(hash) {
  if (!hash) return;
  setText(parts.journal, hash.slice(0, 8));
  parts.journalLink.title = strings.journalTitle(hash);
}

function showState({ state, reason }) {
  setBanner("broken", state === "broken" ? { kind: "danger", text: strings.broken(reason) } : null);
  updateStaleness();
}

// Stale numbers are dimmed, and the status shows their age.
function updateStaleness() {
  const { state } = latest();
  if (!state) return;
  const seconds = secondsSinceMessage();
  const isStale = seconds > STALE_SECONDS;
  root.classList.toggle("stale", isStale);
  setText(parts.state, isStale ? strings.states.stale(age(seconds)) : strings.states[state.state]);
  parts.state.className = `dot ${isStale ? "broken" : state.state}`;
  parts.state.title = strings.stateTitles[state.state];
}
