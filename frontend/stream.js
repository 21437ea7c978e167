// Live data for a page. Tabs of one browser share one connection: the tab that holds the lock reads the feed and
// passes it on. A tab that was hidden for a minute lets go, and asks anew when it is looked at again.

import { config } from "./config.js";
import { Feed } from "./feed.js";

const HIDDEN_MS = 60_000;
const SETTLE_MS = 30;
const REPEAT_MS = 10_000;
const FORGET_MS = 30_000;
const NAME = `peakedex.stream ${config.api}`;

/** @typedef {(message: import("./feed.js").Message | {kind: "state", data: {state: "paused"}}) => void} Listener */

/** @type {Map<object, {topics: string[], listener: Listener}>} */
const subscriptions = new Map();
/** @type {Map<string, {topics: string[], seen: number}>} What other tabs want, while this one leads. */
const others = new Map();
const tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
const shared = Boolean(navigator.locks && globalThis.BroadcastChannel);
const channel = shared ? new BroadcastChannel(NAME) : null;
const feed = new Feed(relay);

let leading = false;
let paused = false;
let release = null;
let settleTimer = 0;
let wantsSnapshot = false;
let hiddenTimer = 0;
let covered = new Set();
let lastState = null;
let lastHead = null;
let heardAt = performance.now();

/** Seconds since the last word from the server. */
export const silence = () => (performance.now() - heardAt) / 1000;

/** The last state and head, for what is drawn later. */
export const latest = () => ({ state: lastState, head: lastHead });

/**
 * Hear of these topics: a snapshot first, then changes, and each message goes to every listener. Of "block" alone
 * no snapshot is promised: `latest` has what was heard before.
 * @param {string[]} topics
 * @param {Listener} listener
 * @returns {{change: (topics: string[]) => void, close: () => void}}
 */
export function subscribe(topics, listener) {
  const key = {};
  subscriptions.set(key, { topics, listener });
  settle(topics);
  return {
    change(wanted) {
      subscriptions.set(key, { topics: wanted, listener });
      settle(wanted);
    },
    close() {
      subscriptions.delete(key);
      settle([]);
    },
  };
}

function ours() {
  const topics = paused ? [] : [...subscriptions.values()].flatMap((one) => one.topics);
  return topics.length ? [...new Set(["block", ...topics])] : [];
}

// A page's parts ask one after the other: they are heard together.
function settle(topics) {
  wantsSnapshot ||= topics.some((topic) => topic !== "block");
  clearTimeout(settleTimer);
  settleTimer = setTimeout(() => {
    if (leading || !shared) lead(wantsSnapshot);
    else say({ want: ours(), fresh: wantsSnapshot });
    wantsSnapshot = false;
  }, SETTLE_MS);
}

// Reads the union of what all tabs want. Topics that nobody wants any more stay until the next start.
function lead(fresh) {
  const now = Date.now();
  for (const [name, other] of others) if (now - other.seen > FORGET_MS) others.delete(name);
  const union = new Set([...ours(), ...[...others.values()].flatMap((other) => other.topics)]);
  if (union.size === 0) {
    feed.stop();
    covered = union;
  } else if (fresh || [...union].some((topic) => !covered.has(topic))) {
    covered = union;
    feed.start([...union].sort());
    // Whoever waits to be heard has been: a second start would cut this connection for nothing.
    clearTimeout(settleTimer);
    wantsSnapshot = false;
  }
}

function say(message) {
  channel?.postMessage({ tab, ...message });
}

function relay(message) {
  say({ message });
  deliver(message);
}

function deliver(message) {
  if (message.kind === "state") lastState = message.data;
  else heardAt = performance.now();
  if (message.kind === "head") lastHead = message.data;
  if (paused && message.data.state !== "paused") return;
  for (const { listener } of [...subscriptions.values()]) listener(message);
}

function hear({ tab: from, want, fresh, bye, message, who }) {
  if (message && !leading) deliver(message);
  if (who && !leading && !paused) say({ want: ours(), fresh: true });
  if (bye) others.delete(from);
  if (!want || !leading) return;
  if (!others.has(from) && lastState) say({ message: { kind: "state", data: lastState } });
  others.set(from, { topics: want, seen: Date.now() });
  lead(fresh === true);
}

function join() {
  if (!shared) return;
  navigator.locks
    .request(NAME, () => {
      if (paused) return undefined;
      leading = true;
      say({ who: true });
      lead(true);
      return new Promise((resolve) => {
        release = resolve;
      });
    })
    .then(() => {
      leading = false;
    });
}

function leave() {
  paused = true;
  feed.stop();
  others.clear();
  covered = new Set();
  say({ bye: true });
  release?.();
  release = null;
  deliver({ kind: "state", data: { state: "paused", since: Date.now(), reason: "" } });
}

function comeBack() {
  if (!paused) return;
  paused = false;
  heardAt = performance.now();
  join();
  settle(ours());
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(leave, HIDDEN_MS);
  else comeBack();
});
addEventListener("pagehide", () => {
  if (!paused) leave();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) comeBack();
});
if (channel) channel.onmessage = (event) => hear(event.data);
setInterval(() => {
  if (!leading && !paused) say({ want: ours() });
  else if (leading) lead(false);
}, REPEAT_MS);
join();
