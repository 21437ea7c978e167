// Review before signing: the one entrance for all that a page has signed. Keychain collapses the JSON of an operation,
// so the sentence shown here, which the wallet shows too, is what the trader reads.

import { signingBlocked } from "../data/integrity.js";
import { button, el } from "../lib/dom.js";
import { local } from "../lib/storage.js";
import { openFormDialog } from "../lib/widgets.js";
import { reviewKeys as keyStrings } from "../strings/one-click.js";
import { review as strings } from "../strings/wallet.js";
import { choiceOf, choose } from "./one-click-choice.js";
import { submit } from "./submit.js";

const SKIP_KEY = "peakedex.skipreview";
const DOUBLE_CLICK_MS = 700;

/** @type {{content: string, at: number, result: Promise<boolean>|null}} */
let newest = { content: "", at: 0, result: null };

/**
 * Choose the key, show the draft, and have it signed once the trader confirms. The review can be skipped for resting
 * limit orders, and for what one-click trading covers.
 * @param {import("./intents.js").Draft} draft
 * @param {{rests?: boolean, side?: "buy"|"sell", refused?: string, isReviewed?: boolean, always?: boolean}} [options] `rests`: a limit
 *   order that would not execute now. `refused`: why the exchange refused it with the posting key, so that it is
 *   signed with the active key. `isReviewed`: its sentence has been shown and confirmed. `always`: never
 *   skipped, because the draft is made of what this browser has stored
 * @returns {Promise<boolean>} whether it was passed to the wallet
 */
export function review(draft, options = {}) {
  const content = JSON.stringify([draft.account, draft.action, contentOf(draft)]);
  const now = performance.now();
  if (newest.content === content && now - newest.at < DOUBLE_CLICK_MS) return newest.result; // the second click
  newest = { content, at: now, result: reviewOnce(draft, options) };
  return newest.result;
}

// What is signed, without the ref, which is always new.
function contentOf({ elements, to, amount, symbol }) {
  const payloads = elements?.map(({ contractPayload: { ref: _, ...payload } }) => payload);
  return payloads ?? [to, amount, symbol];
}

async function reviewOnce(undecided, { rests = false, side, refused, isReviewed = false, always = false }) {
  const mismatch = await signingBlocked(undecided);
  if (mismatch) {
    const { showRefusal } = await import("./refusal.js");
    showRefusal(mismatch);
    return false;
  }
  const { draft, covered, reason } = await chooseKey(undecided, refused);
  const skips = covered ? choiceOf(draft.account).skipsReview : rests && !reason && local.getItem(SKIP_KEY);
  const authority = (skips && !always) || isReviewed ? draft.authority : await ask(draft, { rests, side, covered, reason });
  if (authority) submit({ ...draft, authority });
  return authority !== null;
}

/** @returns {Promise<{draft: import("./intents.js").Draft, covered: boolean, reason: string}>} */
async function chooseKey(draft, refused) {
  const withActiveKey = { draft: { ...draft, authority: "active" }, covered: false, reason: refused ?? "" };
  if (refused || !choiceOf(draft.account).isOn) return withActiveKey;
  const { route } = await import("./one-click.js");
  return route(draft);
}

/**
 * Ask the trader. One-click trading may be stopped meanwhile: then nothing is signed.
 * @returns {Promise<"active"|"posting"|null>} the key to sign with
 */
function ask(draft, { rests, side, covered, reason }) {
  const { account, message, kind } = draft;
  const active = kind === "transfer" ? strings.signerOfCoins : strings.signer;
  const signer = covered ? keyStrings.posting(account) : reason ? keyStrings.active(account, reason) : active(account);
  const canSkip = covered || (rests && !reason);
  return new Promise((resolve) => {
    const useActiveKey = () => {
      authority = "active";
      dialog.close();
    };
    const skip = el("input", { type: "checkbox", id: "review-skip" });
    /** @type {"active"|"posting"|null} */
    let authority = null;
    const dialog = openFormDialog("review", strings.title, {
      describedBy: "review-sentence",
      onsubmit: (event) => {
        event.preventDefault();
        authority = covered && !choiceOf(account).isOn ? null : draft.authority;
        if (skip.checked && covered) choose(account, { skipsReview: true });
        else if (skip.checked) local.setItem(SKIP_KEY, "1");
        dialog.close();
      },
      body: [
        el("p", { className: "sentence", id: "review-sentence" }, message),
        el("p", { className: reason ? "small" : "muted small" }, signer, " ", covered && button(keyStrings.useActive, useActiveKey, { className: "link" })),
        canSkip && el("div", { className: "check" }, skip, el("label", { htmlFor: "review-skip" }, covered ? keyStrings.skip : strings.skip)),
      ],
      footer: [
        button(strings.back, () => dialog.close(), { className: "button" }),
        el("button", { type: "submit", autofocus: true, className: `button main ${side ? `is${side}` : ""}` }, strings.sign),
      ],
    });
    dialog.addEventListener("close", () => {
      newest = { content: "", at: 0, result: null }; // another click is meant
      resolve(authority);
    });
  });
}
