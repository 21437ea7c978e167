// What the reader sees of an intent's life: one message each, changed in place until it is over.

import { grouped } from "./amounts.js";
import { again } from "./intents.js";
import { dismiss, giveUp, isOver, nudge, onChange, submit } from "./pending.js";
import { pending as words } from "./strings.js";
import { subscribe } from "./stream.js";
import { dismiss as hide, toast } from "./toasts.js";

const BAD = new Set(["rejected", "refused", "not_included", "no_effect", "refund_due", "not_signed"]);
/** After a reload, what ended well longer ago than this is not told again. */
const NEWS_MS = 10_000;

/**
 * What to say about an intent.
 * @param {import("./pending.js").Intent} intent
 * @returns {{kind: "wait"|"ok"|"bad"|"info", title: string, text: string}}
 */
export function describe(intent) {
  if (isOver(intent)) return ended(intent);
  return { kind: "wait", ...onItsWay(intent) };
}

function onItsWay({ state, draft, txId, deadline, multisig, block, text }) {
  if (state === "waiting" || state === "slow" || state === "stuck") return words[state](draft.message);
  const until = deadline === null ? "–" : clock(deadline);
  if (state === "lost") return words.lost(draft.title, until, text);
  if (state === "in_block") return words.inBlock(draft.title, grouped(String(block)));
  if (multisig) return words.multisig(draft.title);
  return txId ? words.sent(draft.title, txId.slice(0, 8), until) : words.sentWithoutId(draft.title, until);
}

function ended({ outcome, draft, code, text, hint, order, action }) {
  const isOrder = action !== "cancel" && action !== "cancelAll";
  const name = outcome === "cancelled" && isOrder ? "ended" : outcome;
  const said = words.outcomes[name](draft.title, order && { filled: grouped(order.filled), quantity: grouped(order.quantity) });
  const why = code ? words.rejected(words.codes[code] ?? words.unknownCode(code)) : [text, hint].filter(Boolean).join(" ");
  return { kind: BAD.has(outcome) ? "bad" : "ok", title: said.title, text: said.text || why };
}

const clock = (ms) => new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false }).format(ms);

/** Show each intent of this browser as a message, and go on looking whenever the exchange has news. Once a page. */
export function showIntents() {
  /** @type {Map<string, string>} */
  const shown = new Map();
  onChange((intents, changed) => {
    for (const intent of intents) {
      const isNews = !isOver(intent) || intent.state === "failed" || Date.now() - intent.changed < NEWS_MS;
      if (isNews || intent.ref === changed?.ref) show(intent, shown);
    }
    const left = new Set(intents.map((intent) => intent.ref));
    for (const ref of [...shown.keys()].filter((one) => !left.has(one))) {
      hide(ref);
      shown.delete(ref);
    }
  });
  subscribe(["block"], ({ kind }) => {
    if (kind === "change" || kind === "head") nudge();
  });
}

/** The same words twice are said once: a screen reader would repeat them. */
function show(intent, shown) {
  const said = describe(intent);
  const text = JSON.stringify([said, intent.txId]);
  if (shown.get(intent.ref) === text) return;
  shown.set(intent.ref, text);
  toast(intent.ref, { ...said, actions: actionsOf(intent), closed: () => dismiss(intent.ref) });
}

function actionsOf(intent) {
  if (intent.state === "stuck") return [{ text: words.giveUp, run: () => giveUp(intent.ref) }];
  const mayTryAgain = intent.state === "failed" && intent.outcome !== "no_effect";
  if (!mayTryAgain) return [];
  return [{
    text: words.again,
    run: () => {
      dismiss(intent.ref);
      submit(again(intent.draft));
    },
  }];
}
