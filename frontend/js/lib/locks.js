// Locks by name, across the tabs of this browser. Without the Web Locks API (insecure origins), or where the browser
// denies it (storage blocked), they hold within this page only.

let probe = null;

/** Whether locks hold across tabs. @returns {Promise<boolean>} */
export function hasSharedLocks() {
  probe ??= (async () => {
    try {
      await navigator.locks.request("peakedex.probe", { mode: "shared" }, () => {});
      return true;
    } catch {
      return false;
    }
  })();
  return probe;
}

/** @type {Map<string, Promise<void>>} the end of the last work by name, for locks of this page */
const ends = new Map();

/**
 * Run work while holding a lock; those who wait for it get it in turn.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @param {AbortSignal} [signal] stops waiting for the lock: the call then rejects with the signal's reason
 * @returns {Promise<T>}
 */
export async function withLock(name, work, signal) {
  if (await hasSharedLocks()) return navigator.locks.request(name, signal ? { signal } : {}, work);
  const before = ends.get(name) ?? Promise.resolve();
  let end = () => {};
  ends.set(name, new Promise((resolve) => { end = resolve; }));
  try {
    await turn(before, signal);
  } catch (error) {
    before.then(end); // those behind still wait for the one before
    throw error;
  }
  try {
    return await work();
  } finally {
    end();
  }
}

const turn = (before, signal) => new Promise((resolve, reject) => {
  signal?.throwIfAborted();
  signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  before.then(resolve);
});
