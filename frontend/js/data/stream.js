// Live data for a page. The tabs of a browser share one connection: the leader, which holds a lock, reads the feed
// and broadcasts it to the others. A tab that is hidden for a minute unsubscribes, and subscribes again when shown.

import { config } from "../../config.js";
import { onApiChange } from "./api.js";
import { Feed } from "./feed.js";

/** Seconds without a message after which data is stale. */
export const STALE_SECONDS = 10;
/** Blocks behind the chain above which market orders are disabled. */
export const MAX_LAG_BLOCKS = 20;

const HIDDEN_MS = 60_000;
const DEBOUNCE_MS = 30;
const HEARTBEAT_MS = 10_000;
const FOLLOWER_TTL_MS = 30_000;
const NAME = `peakedex.stream ${config.apis[0]}`;

/** @typedef {(message: import("./feed.js").Message | {kind: "state", data: {state: "paused"}}) => void} Listener */

/** @type {Map<object, {topics: string[], listener: Listener}>} */
const subscriptions = new Map();
/** @type {Map<string, {topics: string[], seen: number}>} topics of the other tabs, while this one is the leader */
const followers = new Map();
const tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
let isShared = Boolean(navigator.locks && globalThis.BroadcastChannel);
const channel = isShared ? new BroadcastChannel(NAME) : null;
const feed = new Feed((message) => {
  broadcast({ message });
  deliver(message);
});

let isLeader = false;
let isPaused = false;
let releaseLock = null;
let debounceTimer = 0;
let needsSnapshot = false;
let hiddenTimer = 0;
let subscribedTopics = new Set();
let lastState = null;
let lastHead = null;
let receivedAt = performance.now();

/** Seconds since the last message from the server. */
export const secondsSinceMessage = () => (performance.now() - receivedAt) / 1000;

/** The latest state and head, for components that are created later. */
export const latest = () => ({ state: lastState, head: lastHead });

/**
 * Subscribe to topics: a snapshot first, then changes; each listener gets every message. The topic "block" alone
 * does not guarantee a snapshot: `latest` has what was received before.
 * @param {string[]} topics
 * @param {Listener} listener
 * @returns {{change: (topics: string[]) => void, close: () => void}}
 */
export function subscribe(topics, listener) {
  const key = {};
  const change = (next) => {
    subscriptions.set(key, { topics: next, listener });
    updateTopics(next);
  };
  change(topics);
  return {
    change,
    close() {
      subscriptions.delete(key);
      updateTopics([]);
    },
  };
}

function ownTopics() {
  const topics = isPaused ? [] : [...subscriptions.values()].flatMap((one) => one.topics);
  return topics.length ? [...new Set(["block", ...topics])] : [];
}

// Debounced: the parts of a page subscribe one after the other.
function updateTopics(topics) {
  needsSnapshot ||= topics.some((topic) => topic !== "block");
  clearTimeout(debounceTimer);
  debounceTimer = setTimeout(() => {
    if (isLeader || !isShared) startFeed(needsSnapshot);
    else broadcast({ topics: ownTopics(), needsSnapshot });
    needsSnapshot = false;
  }, DEBOUNCE_MS);
}

// Reads the union of all tabs' topics. Topics that are no longer needed stay until the next start.
function startFeed(restart) {
  const now = Date.now();
  for (const [name, follower] of followers) if (now - follower.seen > FOLLOWER_TTL_MS) followers.delete(name);
  const union = new Set([...ownTopics(), ...[...followers.values()].flatMap((follower) => follower.topics)]);
  if (union.size === 0) {
    feed.stop();
    subscribedTopics = union;
  } else if (restart || [...union].some((topic) => !subscribedTopics.has(topic))) {
    subscribedTopics = union;
    feed.start([...union].sort());
    // This start covers a pending update: another one would cut the connection again.
    clearTimeout(debounceTimer);
    needsSnapshot = false;
  }
}

function broadcast(content) {
  if (isShared) channel?.postMessage({ tab, ...content });
}

function deliver(message) {
  if (message.kind === "state") lastState = message.data;
  else receivedAt = performance.now();
  if (message.kind === "head") lastHead = message.data;
  if (isPaused && message.data.state !== "paused") return;
  for (const { listener } of [...subscriptions.values()]) listener(message);
}

function onBroadcast({ tab: from, topics, needsSnapshot: restart, leaving, message, newLeader }) {
  if (message && !isLeader) deliver(message);
  if (newLeader && !isLeader && !isPaused) broadcast({ topics: ownTopics(), needsSnapshot: true });
  if (leaving) followers.delete(from);
  if (!topics || !isLeader) return;
  if (!followers.has(from) && lastState) broadcast({ message: { kind: "state", data: lastState } });
  followers.set(from, { topics, seen: Date.now() });
  startFeed(restart === true);
}

function runForLeader() {
  if (!isShared) return;
  navigator.locks
    .request(NAME, () => {
      if (isPaused) return undefined;
      isLeader = true;
      broadcast({ newLeader: true });
      startFeed(true);
      return new Promise((resolve) => {
        releaseLock = resolve;
      });
    })
    .then(() => {
      isLeader = false;
    })
    .catch(() => {
      isShared = false; // refused, as where storage is blocked: this tab has a connection of its own
      startFeed(true);
    });
}

function pause() {
  isPaused = true;
  feed.stop();
  followers.clear();
  subscribedTopics = new Set();
  broadcast({ leaving: true });
  releaseLock?.();
  releaseLock = null;
  deliver({ kind: "state", data: { state: "paused", since: Date.now(), reason: "" } });
}

function resume() {
  if (!isPaused) return;
  isPaused = false;
  receivedAt = performance.now();
  runForLeader();
  updateTopics(ownTopics());
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(pause, HIDDEN_MS);
  else resume();
});
addEventListener("pagehide", () => {
  if (!isPaused) pause();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) resume();
});
onApiChange(() => feed.changeApi());
if (channel) channel.onmessage = (event) => isShared && onBroadcast(event.data);
setInterval(() => {
  if (!isLeader && !isPaused) broadcast({ topics: ownTopics() });
  else if (isLeader) startFeed(false);
}, HEARTBEAT_MS);
runForLeader();
