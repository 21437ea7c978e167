// The review before signing: one sentence, equal to what the wallet shows. Keychain folds the JSON away, so this
// is what the trader reads.

import { make } from "./dom.js";
import { submit } from "./pending.js";
import { review as words } from "./strings.js";

const SKIP = "peakedex.skipreview";

/**
 * Show the draft, and have it signed when the trader agrees. A limit order that does not cross may skip this.
 * @param {import("./intents.js").Draft} draft
 * @param {{facts?: [string, string][], rests?: boolean, side?: "buy"|"sell"}} [about]
 * @returns {Promise<boolean>} whether it went to the wallet
 */
export function review(draft, { facts = [], rests = false, side } = {}) {
  if (rests && localStorage.getItem(SKIP)) {
    submit(draft);
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const skip = make("input", { type: "checkbox", id: "review-skip" });
    const dialog = make("dialog", { "aria-labelledby": "review-title", "aria-describedby": "review-sentence" });
    let agreed = false;
    const agree = (event) => {
      event.preventDefault();
      agreed = true;
      if (skip.checked) localStorage.setItem(SKIP, "1");
      dialog.close();
      submit(draft);
    };
    dialog.append(
      make(
        "header",
        {},
        make("h2", { id: "review-title" }, words.title),
        make(
          "button",
          { type: "button", className: "icon", "aria-label": words.close, onclick: () => dialog.close() },
          "×",
        ),
      ),
      make(
        "form",
        { onsubmit: agree },
        make(
          "div",
          { className: "body" },
          make("p", { className: "sentence", id: "review-sentence" }, draft.message),
          facts.length > 0 &&
            make(
              "dl",
              { className: "facts" },
              ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
            ),
          make("p", { className: "muted small" }, words.signer(draft.account)),
          rests && make("div", { className: "check" }, skip, make("label", { htmlFor: "review-skip" }, words.skip)),
        ),
        make(
          "footer",
          {},
          make("button", { type: "button", className: "button", onclick: () => dialog.close() }, words.back),
          make(
            "button",
            { type: "submit", autofocus: true, className: `button main ${side ? `is${side}` : ""}` },
            words.sign,
          ),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(agreed);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
