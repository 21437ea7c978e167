// One connection to the API's stream: a snapshot, then changes whose numbers have no gap. Where the stream fails
// three times in a row the same messages are made by polling, while the stream is tried again.

import { address } from "./api.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const FAILURES_BEFORE_POLLING = 3;
const POLL_MS = 5000;
const SILENCE_MS = 45_000;

/**
 * @typedef {{kind: "snapshot"|"change"|"head", data: any} |
 *   {kind: "state", data: {state: "connecting"|"live"|"polling"|"broken", since: number, reason: string}}} Message
 */

/**
 * How long to wait before try number `failures`, in ms: twice as long each time, with chance, so that many
 * readers do not come back at once.
 * @param {number} failures
 * @param {number} chance from 0 to 1
 */
export function backoff(failures, chance = Math.random()) {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return Math.round(full * (0.5 + chance / 2));
}

/**
 * What to do with a change: `old` was seen already, after a `gap` only a new snapshot helps.
 * @param {number|null} seq of the last change or snapshot
 * @param {{seq: number, prev: number}} change
 * @returns {"old"|"gap"|"next"}
 */
export function judge(seq, change) {
  if (seq === null) return "gap";
  if (change.seq <= seq) return "old";
  return change.prev === seq ? "next" : "gap";
}

export class Feed {
  /** @param {(message: Message) => void} tell */
  constructor(tell) {
    this.tell = tell;
    this.topics = [];
    this.source = null;
    this.seq = null;
    this.lastId = null; // where the server goes on after a reconnect
    this.failures = 0;
    this.retryTimer = 0;
    this.pollTimer = 0;
    this.silenceTimer = 0;
    this.polled = null;
    this.state = "";
  }

  /**
   * Read these topics, from a new snapshot on.
   * @param {string[]} topics
   */
  start(topics) {
    this.topics = topics;
    this.forget();
    this.polled = null;
    if (this.state === "polling") {
      clearTimeout(this.pollTimer);
      this.poll();
    } else {
      this.connect();
    }
  }

  stop() {
    this.close();
    clearTimeout(this.pollTimer);
    this.pollTimer = 0;
    this.topics = [];
    this.failures = 0;
    this.state = "";
  }

  close() {
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    this.source?.close();
    this.source = null;
  }

  connect() {
    this.close();
    if (!this.pollTimer) this.become("connecting");
    const source = new EventSource(address("stream", { topics: this.topics.join(","), last_event_id: this.lastId }));
    this.source = source;
    const on = (name, work) =>
      source.addEventListener(name, (event) => {
        this.hear();
        if (event.lastEventId) this.lastId = event.lastEventId;
        work(event.data && JSON.parse(event.data));
      });
    source.onopen = () => this.hear();
    source.onerror = () => this.fail();
    on("snapshot", (data) => this.begin(data));
    on("change", (data) => this.change(data));
    on("head", (data) => this.tell({ kind: "head", data }));
    on("reset", () => this.forget());
  }

  // Only a new snapshot helps from here.
  forget() {
    this.seq = null;
    this.lastId = null;
  }

  begin(data) {
    this.seq = data.seq;
    this.tell({ kind: "snapshot", data });
  }

  change(data) {
    const verdict = judge(this.seq, data);
    if (verdict === "next") {
      this.seq = data.seq;
      this.tell({ kind: "change", data });
    } else if (verdict === "gap") {
      this.forget();
      this.connect();
    }
  }

  hear() {
    this.failures = 0;
    clearTimeout(this.pollTimer);
    this.pollTimer = 0;
    this.become("live");
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.fail(), SILENCE_MS);
  }

  fail() {
    this.close();
    this.failures += 1;
    this.retryTimer = setTimeout(() => this.connect(), backoff(this.failures));
    if (this.failures >= FAILURES_BEFORE_POLLING && !this.pollTimer) this.poll();
    else if (!this.pollTimer) this.become("connecting");
  }

  become(state, reason = "") {
    if (this.state === state && state !== "broken") return;
    this.state = state;
    this.tell({ kind: "state", data: { state, since: Date.now(), reason } });
  }

  async poll() {
    const topics = this.topics;
    this.pollTimer = -1;
    try {
      const { readAll } = await import("./polling.js");
      const messages = await readAll(topics, this.polled);
      if (topics !== this.topics || !this.pollTimer) return;
      this.become("polling");
      this.polled = messages.at(-1)?.data.block ?? null;
      for (const message of messages) this.tell(message);
    } catch (error) {
      if (topics !== this.topics || !this.pollTimer) return;
      this.become("broken", error.message);
    }
    this.pollTimer = setTimeout(() => this.poll(), POLL_MS);
  }
}
