// Toasts at the bottom left: one for each id, updated in place. At most three are visible: what needs the user, then
// failures, then the newest. Only what needs the user and the last change are open, the others are a line each until
// pointed at. The page ends with room for them, so that every control can be scrolled clear of them.

import { widgets as strings } from "../strings/common.js";
import { button, el, setText } from "./dom.js";

const SHOWN_MS = 8000;
const MOST = 3;
const MARGIN = 24;
const URGENCY = { ask: 0, bad: 1, wait: 2, ok: 3 };

/** @typedef {{node: HTMLElement, kind: Kind, order: number, changed: number, timer: number, dismiss: () => void}} Shown
 * @typedef {"ask"|"ok"|"wait"|"bad"} Kind */

/** @type {Map<string, Shown>} */
const shown = new Map();
let count = 0;
let regions = null;

/**
 * Show a toast, or replace the one with the same id.
 * @param {string} id
 * @param {{kind: Kind, title: string, text: string, actions: {text: string, run: () => void}[],
 *   onDismiss?: () => void}} toast `ask` needs the user; only `ok` disappears by itself
 */
export function showToast(id, { kind, title, text, actions, onDismiss = () => {} }) {
  regions ??= createRegions();
  const old = shown.get(id);
  clearTimeout(old?.timer);
  const buttons = actions.map((action) => button(action.text, action.run, { className: "plain" }));
  const dismiss = () => {
    hideToast(id);
    onDismiss();
  };
  const node = el(
    "div",
    { className: `toast ${kind}` },
    el("p", { className: "title" }, title),
    text && el("p", {}, text),
    buttons.length > 0 && el("p", { className: "actions" }, ...buttons),
    button("×", dismiss, { className: "close", "aria-label": strings.dismiss }),
  );
  const region = kind === "bad" ? regions.assertive : regions.polite;
  const hasFocus = old?.node.contains(document.activeElement);
  if (old?.node.parentNode === region) old.node.replaceWith(node);
  else {
    old?.node.remove();
    region.append(node);
  }
  const timer = kind === "ok" ? setTimeout(() => hideToast(id), SHOWN_MS) : 0;
  count += 1;
  shown.set(id, { node, kind, order: old?.order ?? count, changed: count, timer, dismiss });
  arrange();
  if (hasFocus) (node.querySelector(".actions button") ?? node.querySelector("button")).focus();
}

/**
 * Remove a toast.
 * @param {string} id
 */
export function hideToast(id) {
  const toast = shown.get(id);
  if (!toast) return;
  clearTimeout(toast.timer);
  toast.node.remove();
  shown.delete(id);
  arrange();
}

function arrange() {
  const byUrgency = [...shown.values()].sort((a, b) => URGENCY[a.kind] - URGENCY[b.kind] || b.order - a.order);
  const last = Math.max(...byUrgency.slice(0, MOST).map(({ changed }) => changed));
  byUrgency.forEach(({ node, kind, changed }, at) => {
    node.hidden = at >= MOST;
    node.classList.toggle("brief", kind !== "ask" && changed !== last);
  });
  const hidden = Math.max(0, byUrgency.length - MOST);
  regions.more.hidden = hidden === 0;
  setText(regions.count, strings.moreToasts(hidden));
}

function dismissAll() {
  for (const { kind, dismiss } of [...shown.values()]) if (kind === "ok" || kind === "bad") dismiss();
}

function createRegions() {
  const polite = el("div", { role: "status", className: "toast-region" });
  const assertive = el("div", { role: "alert", className: "toast-region" });
  const number = el("span");
  const more = el("div", { className: "toasts-more", hidden: true }, number, button(strings.dismissAll, dismissAll, { className: "plain" }));
  const dock = el("section", { className: "toasts", "aria-label": strings.notifications }, more, assertive, polite);
  document.body.append(dock);
  new ResizeObserver(() => {
    const height = dock.offsetHeight;
    document.documentElement.style.setProperty("--toasts", `${height && height + MARGIN}px`);
  }).observe(dock);
  return { polite, assertive, more, count: number };
}
