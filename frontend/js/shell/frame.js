// Refuses to show a page in a frame of another origin, which could lead clicks to where a trader does not mean them.
// The header that forbids frames (frame-ancestors) is missing on hosts that serve files only, and has no meta element.

import { el } from "../lib/dom.js";
import { frame as strings } from "../strings/shell.js";

/** Whether a frame around this page is of another origin. */
function isFramed() {
  try {
    for (let view = globalThis.window; view !== view.top; view = view.parent) {
      if (view.parent.location.origin !== location.origin) return true;
    }
    return false;
  } catch {
    return true; // pages of other origins do not tell their address
  }
}

if (isFramed()) {
  const link = el("a", { href: location.href, target: "_blank", rel: "noopener" }, strings.open);
  document.body.replaceChildren(el("p", { className: "empty" }, `${strings.refused} `, link));
  throw new Error(strings.refused); // ends the modules that import this one: the page is never built
}
