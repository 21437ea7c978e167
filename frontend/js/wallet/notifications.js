// Toasts for the intents of this browser: one for each, updated until the intent is final.

import { subscribe } from "../data/stream.js";
import { grouped } from "../lib/amounts.js";
import { hourMinute, NONE } from "../lib/format.js";
import { hideToast, showToast } from "../lib/toasts.js";
import { pending as strings } from "../strings/wallet.js";
import { watchOwnOrders } from "./order-notifications.js";
import { dismiss, isOver, needsActiveKey, onChange } from "./pending.js";
import { provider } from "./provider.js";
import { canRebuild } from "./rebuild.js";
import { checkNow, giveUp, giveUpOpen } from "./submit.js";

const FAILURES = new Set(["rejected", "refused", "not_included", "no_effect", "refund_due", "ignored", "not_signed"]);
const AT_WINDOW = new Set(["waiting", "slow", "stuck"]);
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
  watchOwnOrders();
  subscribe(["block"], ({ kind }) => {
    if (kind === "change" || kind === "head") checkNow();
  });
}

/** An unchanged toast is not shown again, because a screen reader would repeat it. */
function show(intent, shown) {
  const content = isOver(intent) ? finalContent(intent) : pendingContent(intent);
  const text = JSON.stringify([content, intent.txId]);
  if (shown.get(intent.ref) === text) return;
  shown.set(intent.ref, text);
  showToast(intent.ref, { ...content, actions: actionsFor(intent), onDismiss: () => dismiss(intent.ref) });
}

const isPractice = () => provider() === "practice";

function pendingContent(intent) {
  const kind = AT_WINDOW.has(intent.state) && !isPractice() ? "ask" : "wait";
  return { kind, ...pendingText(intent) };
}

function pendingText({ state, draft, txId, deadline, multisig, block, text }) {
  if (state === "queued") return strings.queued(draft.title);
  if (state === "signing" || (state === "waiting" && isPractice())) return strings.signing(draft.message);
  if (AT_WINDOW.has(state)) return strings[state](windowText(draft));
  const until = deadline === null ? NONE : hourMinute(deadline);
  if (state === "lost") return strings.lost(draft.title, until, text);
  if (state === "in_block") return strings.inBlock(draft.title, grouped(String(block)));
  if (multisig) return strings.multisig(draft.title, until);
  return txId ? strings.sent(draft.title, txId.slice(0, 8), until) : strings.sentWithoutId(draft.title, until);
}

/** What to compare with the wallet's window. */
function windowText({ kind, message, to, amount, symbol, memo }) {
  return kind === "transfer" ? strings.compare(to, `${amount} ${symbol}`, memo) : message;
}

function finalContent({ outcome, draft, code, text, hint, fill, deposit }) {
  const { cancels } = draft.about;
  const isCancel = outcome === "cancelled" && cancels;
  const name = outcome === "cancelled" && !cancels ? "unfilled" : outcome;
  const content = strings.outcomes[name](isCancel ? cancels : draft.title, fill ? strings.fill(fill) : "");
  const rejection = code && strings.rejected(strings.codes[code] ?? strings.unknownCode(code));
  const depositText = deposit ? strings.deposits[deposit][outcome === "rejected" ? "rejected" : "order"] : "";
  const details = [content.text, rejection, text, hint, depositText].filter(Boolean).join(" ");
  return { kind: FAILURES.has(outcome) || deposit === "refused" ? "bad" : "ok", title: content.title, text: details };
}

function actionsFor(intent) {
  const { state, ref, reason } = intent;
  const action = (text, run) => ({ text, run });
  if (AT_WINDOW.has(state)) {
    if (isPractice()) return state === "waiting" ? [] : [action(strings.stopWaiting, () => giveUp(ref))];
    return [action(strings.closedWindow, () => giveUp(ref))];
  }
  if (state === "queued") return [action(strings.closedPrevious, giveUpOpen), action(strings.remove, () => giveUp(ref))];
  if (!canRebuild(intent)) return [];
  const retry = () => import("./retry.js").then((module) => module.retry(intent));
  if (needsActiveKey(intent)) return [action(strings.signActive, retry)];
  const canRetry = reason === "given_up" || (state === "failed" && intent.outcome !== "no_effect");
  return (state === "failed" || state === "lost") && canRetry ? [action(strings.tryAgain, retry)] : [];
}
