// Toasts for what the exchange did with own orders later than they were placed: resting orders that filled or expired,
// and stops that fired. What is decided when an order is placed is its intent's toast.

import { account, onAccount } from "../data/session.js";
import { subscribe } from "../data/stream.js";
import { grouped, trimmed } from "../lib/amounts.js";
import { showToast } from "../lib/toasts.js";
import { intents as intentStrings } from "../strings/intents.js";
import { pending as strings } from "../strings/wallet.js";
import { fillOf } from "./outcome.js";
import { isOver, list } from "./pending.js";

/** An account with many fills shows the newest ones only. */
const MOST = 2;

let count = 0;

/** Called once for each page. */
export function watchOwnOrders() {
  const topics = (name) => (name ? [`account:${name}`] : []);
  const subscription = subscribe(topics(account()), ({ kind, data }) => {
    if (kind !== "change") return;
    for (const { user, orders } of data.accounts ?? []) if (user === account()) showChanges(orders ?? [], data.block);
  });
  onAccount((name) => subscription.change(topics(name)));
}

function showChanges(orders, block) {
  // The order that a stop places when it fires has the stop's id, and a later sequence number.
  const newest = new Map([...orders].sort((a, b) => a.seq - b.seq).map((order) => [order.id, order]));
  for (const order of newest.values()) {
    const toast = isAwaited(order) ? null : toastOf(order, block);
    if (!toast) continue;
    count += 1;
    showToast(`order ${count % MOST}`, { ...toast, actions: [] });
  }
}

/** Whether the toast of its intent will say it. */
const isAwaited = ({ ref }) => ref !== null && list().some((intent) => !isOver(intent) && intent.ref === ref);

function toastOf(order, block) {
  const { status, fired, stop_of: stop } = order;
  const title = titleOf(order);
  const fill = fillOf(order);
  const text = fill ? strings.fill(fill) : "";
  if (status === "triggered" && fired?.code) return { kind: "bad", ...strings.stopRejected(title, strings.codes[fired.code] ?? fired.code) };
  if (stop && order.block === block) return { kind: "ok", ...strings.outcomes.triggered(title), text };
  if (order.block === block || order.closed_block !== block) return null;
  if (status === "filled") return { kind: "ok", ...strings.outcomes.filled(title, text) };
  return status === "expired" ? { kind: "ok", ...strings.outcomes.expired(title) } : null;
}

function titleOf({ side, quantity, quantity_symbol: symbol, price, quote, type }) {
  const at = type === "market" || price === null ? intentStrings.market : `${grouped(price)} ${quote}`;
  return intentStrings.order(side, `${trimmed(grouped(quantity))} ${symbol}`, at);
}
