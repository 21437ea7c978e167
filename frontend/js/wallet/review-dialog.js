// Review before signing: the sentence that the wallet shows too. Keychain collapses the JSON of an operation, so this
// sentence is what the trader reads.

import { button, el } from "../lib/dom.js";
import { local } from "../lib/storage.js";
import { openFormDialog } from "../lib/widgets.js";
import { review as strings } from "../strings/wallet.js";
import { submit } from "./pending.js";

const SKIP_KEY = "peakedex.skipreview";

/**
 * Show the draft, and have it signed once the trader confirms. The review can be skipped for resting limit orders.
 * @param {import("./intents.js").Draft} draft
 * @param {{rests?: boolean, side?: "buy"|"sell"}} [options] `rests`: a limit order that would not execute now
 * @returns {Promise<boolean>} whether it was passed to the wallet
 */
export function review(draft, { rests = false, side } = {}) {
  if (rests && local.getItem(SKIP_KEY)) {
    submit(draft);
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const skip = el("input", { type: "checkbox", id: "review-skip" });
    let isConfirmed = false;
    const dialog = openFormDialog("review", strings.title, {
      describedBy: "review-sentence",
      onsubmit: (event) => {
        event.preventDefault();
        isConfirmed = true;
        if (skip.checked) local.setItem(SKIP_KEY, "1");
        dialog.close();
        submit(draft);
      },
      body: [
        el("p", { className: "sentence", id: "review-sentence" }, draft.message),
        el("p", { className: "muted small" }, strings.signer(draft.account)),
        rests && el("div", { className: "check" }, skip, el("label", { htmlFor: "review-skip" }, strings.skip)),
      ],
      footer: [
        button(strings.back, () => dialog.close(), { className: "button" }),
        el("button", { type: "submit", autofocus: true, className: `button main ${side ? `is${side}` : ""}` }, strings.sign),
      ],
    });
    dialog.addEventListener("close", () => resolve(isConfirmed));
  });
}
