// One-click trading: the trader's own posting key signs what the account's grant to it covers, if the trader turned
// that on in this browser. All else is signed with the active key.

import { read, readVenue } from "../data/api.js";
import { hasEnded, POSTING } from "../data/grants.js";
import { readMarks } from "../data/marks.js";
import { ApiError } from "../lib/api-protocol.js";
import { coverage as strings, reviewKeys as keyStrings } from "../strings/one-click.js";
import { counts, isTrading, payloadOf, whyNotCovered } from "./grant-coverage.js";
import { choiceOf, choose } from "./one-click-choice.js";
import { isOver, list } from "./pending.js";

const MAX_ORDERS = 1000;
/** The longest that it takes from the trader's consent until the intent is with the wallet. */
const PREPARATION_MS = 10_000;

/**
 * The grant to the account's own posting key and the chain time of that answer. Never cached: it decides on a key.
 * @param {string} account
 * @returns {Promise<{grant: any|null, ts: string|null, block: number|null}>}
 */
export async function readGrant(account) {
  const { given, ts, block } = await read("grants", { user: account });
  const grant = given.find((row) => row.to === POSTING && !hasEnded(row)) ?? null;
  return { grant, ts, block };
}

/**
 * The draft as it is to be signed: with the posting key where one-click trading covers it. `reason` says why not, if
 * the trader could expect it.
 * @param {import("./intents.js").Draft} draft
 * @returns {Promise<{draft: import("./intents.js").Draft, covered: boolean, reason: string}>}
 */
export async function route(draft) {
  const withActiveKey = (reason) => ({ draft: { ...draft, authority: "active" }, covered: false, reason });
  if (!choiceOf(draft.account).isOn || !isTrading(draft)) return withActiveKey("");
  try {
    const venue = await readVenue();
    const [found, facts] = await Promise.all([readGrant(draft.account), readFacts(venue, draft)]);
    settle(draft.account, found);
    const reason = whyNotCovered(venue, draft, found.grant, { ...facts, ts: found.ts, pending: undecided(draft, found.block) });
    if (reason) return withActiveKey(reason);
    const about = { ...draft.about, counted: countedText(venue, draft, facts.order) };
    return { draft: { ...draft, authority: "posting", about }, covered: true, reason: "" };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return withActiveKey(strings.unchecked(error.message));
  }
}

/**
 * Why the exchange refused a draft with the posting key, as far as the grant of now tells.
 * @param {import("./intents.js").Draft} draft
 * @returns {Promise<string>}
 */
export const whyRefused = async (draft) => (await route(draft)).reason || keyStrings.refused;

async function readFacts(venue, { account, action, about }) {
  const needsOrder = action === "cancel" || action === "replace";
  const needsOrders = action === "cancelAll";
  const pair = { base: about.base, quote: about.quote };
  const [marks, order, ...open] = await Promise.all([
    action.startsWith("cancel") ? new Map() : readMarks(venue),
    needsOrder ? readOrder(about.order) : null,
    ...(needsOrders ? ["open", "waiting"] : []).map((status) =>
      read("orders", { user: account, status, limit: MAX_ORDERS, ...pair }).then((body) => body.orders)),
  ]);
  return { marks, order, open: open.flat() };
}

async function readOrder(id) {
  try {
    return (await read(`orders/${id}`)).order;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

// Stored with the intent as text, because it is JSON: what it will count while it is undecided.
function countedText(venue, draft, order) {
  if (draft.action.startsWith("cancel")) return null;
  const { symbol, units } = counts(venue, draft.action, payloadOf(draft), order);
  return { symbol, units: String(units) };
}

/** What the account's undecided one-click orders will count, beyond the block that the API has read. */
function undecided(draft, block) {
  const sums = {};
  for (const intent of list()) {
    const { counted } = intent.draft.about ?? {};
    const isCounted = intent.block !== null && block !== null && intent.block <= block;
    if (!/^\d+$/.test(counted?.units) || intent.account !== draft.account || isOver(intent) || isCounted) continue;
    sums[counted.symbol] = (sums[counted.symbol] ?? 0n) + BigInt(counted.units);
  }
  return sums;
}

/**
 * Turn one-click trading off in this browser once its grant has ended, or was not given. An answer of an older block
 * than the one in which another tab or answer has seen the grant says nothing.
 * @param {string} account
 * @param {{grant: any|null, ts: string|null, block: number|null}} found the grant to the posting key as the API reports
 *   it, chain time and block of that answer
 */
export function settle(account, { grant, ts, block }) {
  const choice = choiceOf(account);
  if (!choice.isOn) return;
  if (grant) {
    if (choice.ref || choice.until !== grant.until) choose(account, { until: grant.until, ref: "", seen: block ?? 0 });
  } else if (choice.until) {
    if ((block ?? 0) < choice.seen) return;
    choose(account, { isOn: false, until: "", ended: hasEnded(choice, ts) ? "expired" : "revoked" });
  } else {
    const intent = list().find(({ ref }) => ref === choice.ref);
    const isComing = intent
      ? !isOver(intent) || (intent.state === "final" && intent.code === null)
      : Date.now() - choice.asked < PREPARATION_MS;
    if (!isComing) choose(account, { isOn: false, ref: "" });
  }
}
