// "Try again": builds a failed intent anew, and has it reviewed and signed.

import { ApiError } from "../lib/api-protocol.js";
import { showToast } from "../lib/toasts.js";
import { pending as strings } from "../strings/wallet.js";
import { IntentError } from "./intent-checks.js";
import { whyRefused } from "./one-click.js";
import { dismiss, needsActiveKey } from "./pending.js";
import { rebuild } from "./rebuild.js";
import { review } from "./review-dialog.js";

/** @param {import("./pending.js").Intent} intent */
export async function retry(intent) {
  try {
    const draft = await rebuild(intent);
    const refused = needsActiveKey(intent) ? await whyRefused(draft) : undefined;
    if (await review(draft, { side: draft.about.side, refused, always: true })) dismiss(intent.ref);
  } catch (error) {
    if (!(error instanceof IntentError || error instanceof ApiError)) throw error;
    showToast(`retry ${intent.ref}`, { kind: "bad", title: strings.cannotRetry(intent.draft.title), text: error.message, actions: [] });
  }
}
