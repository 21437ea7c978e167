// Dialog that says why nothing is signed: the API does not agree with pins, other APIs or the operator's checkpoint.

import { el } from "../lib/dom.js";
import { openFormDialog } from "../lib/widgets.js";
import { refusal as strings } from "../strings/integrity.js";

/** @param {string} reason a sentence */
export function showRefusal(reason) {
  const dialog = openFormDialog("refusal", strings.title, {
    describedBy: "refusal-reason",
    onsubmit: (event) => {
      event.preventDefault();
      dialog.close();
    },
    body: [el("p", { className: "bad", id: "refusal-reason" }, reason), el("p", { className: "muted small" }, strings.hint)],
    footer: [
      el("a", { className: "button", href: "audit.html#integrity" }, strings.audit),
      el("button", { type: "submit", autofocus: true, className: "button main" }, strings.close),
    ],
  });
}
