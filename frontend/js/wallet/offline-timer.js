// Keeps the cancel-all timer armed while a page is open: the exchange cancels the orders if the renewals stop. One tab
// renews for all. It asks the API and not the stream, which pauses in hidden tabs, and needs timers of a minute only,
// to which browsers throttle hidden tabs.

import { read, readVenue } from "../data/api.js";
import { chainTime, POSTING } from "../data/grants.js";
import { account, onAccount } from "../data/session.js";
import { ApiError } from "../lib/api-protocol.js";
import { withLock } from "../lib/locks.js";
import { offlineTimer as strings } from "../strings/one-click.js";
import { cancelAllAfter } from "./grant-intents.js";
import { withDeadline } from "./intents.js";
import { choiceOf, choose, onChoice } from "./one-click-choice.js";
import { readGrant } from "./one-click.js";
import { isAtWallet, list, onChange } from "./pending.js";
import { sign } from "./wallet.js";

/** How long after the last renewal the orders are cancelled, in seconds. */
export const HORIZON = 300;
/** With less than this left it is renewed: every two minutes, so that it costs few resource credits. */
const RENEW_BELOW = 180;
const CHECK_MS = 20_000;
/** What the wallet does not sign by itself within this time is given up: nobody may be there to confirm it. */
const SIGNING_MS = 30_000;
/** A renewal shows in the API once its block is irreversible. */
const SETTLING_MS = 20_000;
const LOCK = "peakedex.offline-timer";

const isWanted = (choice) => choice.isOn && choice.cancelsOffline && !choice.isPaused;

let isStarted = false;
let isChecking = false;
let renewedAt = -Infinity;
let check = () => {};

/** Renew the timer of the chosen account from now on, whenever the trader has that turned on. */
export function keepTimerArmed() {
  if (isStarted) return;
  isStarted = true;
  const run = () => {
    check = renewIfDue;
    check();
    setInterval(() => check(), CHECK_MS);
    return new Promise(() => {}); // until the page is left
  };
  withLock(LOCK, run);
  onChoice(() => check());
  onAccount(() => check());
  onChange((_, changed) => changed?.state === "final" && check()); // a new order may be the first one to protect
  document.addEventListener("visibilitychange", () => check());
}

async function renewIfDue() {
  const name = account();
  const isSettling = performance.now() - renewedAt < SETTLING_MS;
  if (isChecking || isSettling || !name || !isWanted(choiceOf(name))) return;
  isChecking = true;
  try {
    if (await isDue(name)) await renew(name);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the API does not answer: check again later
  } finally {
    isChecking = false;
  }
}

async function isDue(name) {
  const [{ grant }, { timers }, { orders }] = await Promise.all([
    readGrant(name),
    read("timers", { user: name }),
    read("orders", { user: name, status: "open", limit: 1 }),
  ]);
  const timer = timers.find(({ by }) => by === POSTING);
  const left = timer ? (Date.parse(timer.due) - chainTime()) / 1000 : 0;
  return grant !== null && orders.length > 0 && left < RENEW_BELOW;
}

async function renew(name) {
  const draft = cancelAllAfter(await readVenue(), name, HORIZON);
  const dated = withDeadline(draft, Math.ceil(chainTime() / 1000) + HORIZON);
  if (!isWanted(choiceOf(name)) || account() !== name) return; // turned off meanwhile
  const isOthersTurn = list().some(isAtWallet);
  if (isOthersTurn) return; // it comes first: the next check renews
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), SIGNING_MS);
  const answer = await sign({ ...dated, authority: "posting" }, { giveUp: control.signal });
  clearTimeout(timer);
  renewedAt = performance.now();
  // What was not sent is still due at the next check. A window that nobody confirms must not come back by itself.
  const isPaused = !answer.ok && (answer.reason === "given_up" || answer.reason === "cancelled");
  const isSent = answer.ok || answer.reason === "unclear" || answer.reason === "removed";
  choose(name, { isPaused, problem: isPaused ? strings.noAnswer : isSent ? "" : answer.message });
}
