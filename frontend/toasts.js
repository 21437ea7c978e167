// Short messages at the bottom right: one per intent, changed in place. Failures stay until dismissed.

import { make } from "./dom.js";
import { toasts as words } from "./strings.js";

const SHOWN_MS = 8000;

/** @type {Map<string, {node: HTMLElement, timer: number}>} */
const shown = new Map();
let polite = null;
let urgent = null;

/**
 * Show a toast, or change the one of the same id.
 * @param {string} id
 * @param {{kind?: "info"|"ok"|"wait"|"bad", title: string, text?: string, link?: {href: string, text: string},
 *   actions?: {text: string, run: () => void}[], closed?: () => void}} toast `wait` and `bad` stay; `closed` is
 *   called when the reader takes it away
 */
export function toast(id, { kind = "info", title, text = "", link, actions = [], closed = () => {} }) {
  places();
  const old = shown.get(id);
  if (old) clearTimeout(old.timer);
  const node = make(
    "div",
    { className: `toast ${kind}` },
    make("p", { className: "title" }, title),
    text && make("p", {}, text),
    link && make("p", {}, make("a", { href: link.href, rel: "noopener", target: "_blank" }, link.text)),
    actions.length > 0 &&
      make(
        "p",
        { className: "actions" },
        ...actions.map((action) =>
          make("button", { type: "button", className: "plain", onclick: action.run }, action.text),
        ),
      ),
    make(
      "button",
      {
        type: "button",
        className: "close",
        "aria-label": words.dismiss,
        onclick: () => {
          dismiss(id);
          closed();
        },
      },
      "×",
    ),
  );
  const place = kind === "bad" ? urgent : polite;
  if (old && old.node.parentNode === place) old.node.replaceWith(node);
  else {
    old?.node.remove();
    place.append(node);
  }
  const timer = kind === "bad" || kind === "wait" ? 0 : setTimeout(() => dismiss(id), SHOWN_MS);
  shown.set(id, { node, timer });
}

/**
 * Take a toast away.
 * @param {string} id
 */
export function dismiss(id) {
  const old = shown.get(id);
  if (!old) return;
  clearTimeout(old.timer);
  old.node.remove();
  shown.delete(id);
}

function places() {
  if (polite) return;
  polite = make("div", { role: "status", className: "toastlist" });
  urgent = make("div", { role: "alert", className: "toastlist" });
  document.body.append(make("div", { className: "toasts" }, urgent, polite));
}
