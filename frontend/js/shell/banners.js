// Banners below the header of a page.

import { el } from "../lib/dom.js";

/** @type {Map<string, HTMLElement>} */
const banners = new Map();
const container = el("div", { id: "banners" });

/** Put the container into the page. @param {HTMLElement} header */
export const mountBanners = (header) => header.after(container);

/**
 * Show a banner, replace it, or remove it.
 * @param {string} id
 * @param {{kind: "warn"|"danger", text: string, link?: {href: string, text: string}}|null} banner
 */
export function setBanner(id, banner) {
  const old = banners.get(id);
  if (!banner) {
    old?.remove();
    banners.delete(id);
    return;
  }
  const { kind, text, link } = banner;
  if (old?.dataset.text === text) return;
  const node = el(
    "div",
    { className: `banner ${kind}`, role: "status", dataset: { text } },
    el("span", {}, text),
    link && el("a", { href: link.href }, link.text),
  );
  if (old) old.replaceWith(node);
  else container.append(node);
  banners.set(id, node);
}
