// Toasts at the bottom right: one for each id, updated in place. Errors stay until they are dismissed.

import { widgets as strings } from "../strings/common.js";
import { button, el } from "./dom.js";

const SHOWN_MS = 8000;

/** @type {Map<string, {node: HTMLElement, timer: number}>} */
const shown = new Map();
let polite = null;
let assertive = null;

/**
 * Show a toast, or replace the one with the same id.
 * @param {string} id
 * @param {{kind: "ok"|"wait"|"bad", title: string, text: string, actions: {text: string, run: () => void}[],
 *   onDismiss: () => void}} toast `wait` and `bad` stay until they are dismissed
 */
export function showToast(id, { kind, title, text, actions, onDismiss }) {
  createRegions();
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
  const region = kind === "bad" ? assertive : polite;
  if (old?.node.parentNode === region) old.node.replaceWith(node);
  else {
    old?.node.remove();
    region.append(node);
  }
  shown.set(id, { node, timer: kind === "ok" ? setTimeout(() => hideToast(id), SHOWN_MS) : 0 });
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
}

function createRegions() {
  if (polite) return;
  polite = el("div", { role: "status", className: "toast-region" });
  assertive = el("div", { role: "alert", className: "toast-region" });
  document.body.append(el("div", { className: "toasts" }, assertive, polite));
}
