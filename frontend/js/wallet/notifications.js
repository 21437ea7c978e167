// Toasts for the intents of this browser: one for each, updated until the intent is final.

import { subscribe } from "../data/stream.js";
import { grouped } from "../lib/amounts.js";
import { hourMinute } from "../lib/format.js";
import { hideToast, showToast } from "../lib/toasts.js";
import { pending as strings } from "../strings/wallet.js";
import { withNewRef } from "./intents.js";
import { checkNow, dismiss, giveUp, isOver, onChange, submit } from "./pending.js";
import { provider } from "./provider.js";

const FAILURES = new Set(["rejected", "refused", "not_included", "no_effect", "refund_due", "ignored", "not_signed"]);
/** After a reload, intents that succeeded longer ago than this are not shown again. */
const RECENT_MS = 10_000;

/** Show the intents of this browser, and check them whenever there is a new block. Called once for each page. */
export function showNotifications() {
  /** @type {Map<string, string>} content of the toasts by ref */
  const shown = new Map();
  onChange((intents, changed) => {
    for (const intent of intents) {
      const isRelevant = !isOver(intent) || intent.state === "failed" || Date.now() - intent.changed < RECENT_MS;
      if (isRelevant || intent.ref === changed?.ref) show(intent, shown);
    }
    const refs = new Set(intents.map((intent) => intent.ref));
    for (const ref of [...shown.keys()].filter((one) => !refs.has(one))) {
      hideToast(ref);
      shown.delete(ref);
    }
  });
  subscribe(["block"], ({ kind }) => {
    if (kind === "change" || kind === "head") checkNow();
  });
}

/** An unchanged toast is not shown again, because a screen reader would repeat it. */
function show(intent, shown) {
  const content = isOver(intent) ? finalContent(intent) : { kind: "wait", ...pendingText(intent) };
  const text = JSON.stringify([content, intent.txId]);
  if (shown.get(intent.ref) === text) return;
  shown.set(intent.ref, text);
  showToast(intent.ref, { ...content, actions: actionsFor(intent), onDismiss: () => dismiss(intent.ref) });
}

function pendingText({ state, draft, txId, deadline, multisig, block, text }) {
  if (state === "waiting" && provider() === "practice") return strings.signing(draft.message);
  if (state === "waiting" || state === "slow" || state === "stuck") return strings[state](draft.message);
  const until = deadline === null ? "–" : hourMinute(deadline);
  if (state === "lost") return strings.lost(draft.title, until, text);
  if (state === "in_block") return strings.inBlock(draft.title, grouped(String(block)));
  if (multisig) return strings.multisig(draft.title);
  return txId ? strings.sent(draft.title, txId.slice(0, 8), until) : strings.sentWithoutId(draft.title, until);
}

function finalContent({ outcome, draft, code, text, hint, order }) {
  const { cancels } = draft.about;
  const name = outcome === "cancelled" && !cancels ? "unfilled" : outcome;
  const filled = order && { filled: grouped(order.filled), quantity: grouped(order.quantity) };
  const content = strings.outcomes[name](outcome === "cancelled" && cancels ? cancels : draft.title, filled);
  const rejection = code && strings.rejected(strings.codes[code] ?? strings.unknownCode(code));
  const details = rejection || [text, hint].filter(Boolean).join(" ");
  return { kind: FAILURES.has(outcome) ? "bad" : "ok", title: content.title, text: content.text || details };
}

function actionsFor(intent) {
  if (intent.state === "stuck") return [{ text: strings.stopWaiting, run: () => giveUp(intent.ref) }];
  const canRetry = intent.state === "failed" && intent.outcome !== "no_effect";
  if (!canRetry) return [];
  const retry = () => {
    dismiss(intent.ref);
    submit(withNewRef(intent.draft));
  };
  return [{ text: strings.tryAgain, run: retry }];
}
