// Connection to the API's event stream: a snapshot, then changes in unbroken sequence. After three failures in a row
// it polls, which gives messages of the same shape, while it goes on reconnecting.

import { config } from "../../config.js";
import { backoff, checkSequence } from "../lib/api-protocol.js";
import { apiUrl } from "./api.js";

// A poll finds out at once whether another API answers.
const FAILURES_BEFORE_POLLING = config.apis.length > 1 ? 1 : 3;
const POLL_MS = 5000;
const SILENCE_MS = 45_000;

/**
 * @typedef {{kind: "snapshot"|"change"|"head", data: any} |
 *   {kind: "state", data: {state: "connecting"|"live"|"polling"|"broken", since: number, reason: string}}} Message
 */

export class Feed {
  /** @param {(message: Message) => void} publish */
  constructor(publish) {
    this.publish = publish;
    this.topics = [];
    this.source = null;
    this.seq = null;
    this.lastId = null; // the server resumes after it
    this.failures = 0;
    this.retryTimer = 0;
    this.pollTimer = 0;
    this.silenceTimer = 0;
    this.polledBlock = null;
    this.state = "";
  }

  /**
   * Subscribe to these topics, beginning with a new snapshot.
   * @param {string[]} topics
   */
  start(topics) {
    this.topics = topics;
    this.resetSequence();
    this.polledBlock = null;
    if (this.state === "polling") {
      clearTimeout(this.pollTimer);
      this.poll();
    } else {
      this.connect();
    }
  }

  /** Connect to the API that is in use now; it resumes after the last event. */
  changeApi() {
    if (this.source) this.connect();
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
    if (!this.pollTimer) this.setState("connecting");
    const source = new EventSource(apiUrl("stream", { topics: this.topics.join(","), last_event_id: this.lastId }));
    this.source = source;
    const on = (name, handle) =>
      source.addEventListener(name, (event) => {
        if (this.source !== source) return; // closed meanwhile
        this.received();
        if (event.lastEventId) this.lastId = event.lastEventId;
        handle(event.data && JSON.parse(event.data));
      });
    source.onopen = () => this.received();
    source.onerror = () => this.source === source && this.failed();
    on("snapshot", (data) => this.snapshot(data));
    on("change", (data) => this.change(data));
    on("head", (data) => this.publish({ kind: "head", data }));
    on("reset", () => this.resetSequence());
  }

  resetSequence() {
    this.seq = null;
    this.lastId = null;
  }

  snapshot(data) {
    this.seq = data.seq;
    this.publish({ kind: "snapshot", data });
  }

  change(data) {
    const place = checkSequence(this.seq, data);
    if (place === "next") {
      this.seq = data.seq;
      this.publish({ kind: "change", data });
    } else if (place === "gap") {
      this.resetSequence();
      this.connect();
    }
  }

  received() {
    this.failures = 0;
    clearTimeout(this.pollTimer);
    this.pollTimer = 0;
    this.setState("live");
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.failed(), SILENCE_MS);
  }

  failed() {
    this.close();
    this.failures += 1;
    this.retryTimer = setTimeout(() => this.connect(), backoff(this.failures));
    if (this.failures >= FAILURES_BEFORE_POLLING && !this.pollTimer) this.poll();
    else if (!this.pollTimer) this.setState("connecting");
  }

  setState(state, reason = "") {
    if (this.state === state && state !== "broken") return;
    this.state = state;
    this.publish({ kind: "state", data: { state, since: Date.now(), reason } });
  }

  async poll() {
    const topics = this.topics;
    const isCancelled = () => topics !== this.topics || !this.pollTimer;
    this.pollTimer = -1; // a poll is under way
    try {
      const { poll } = await import("./polling.js");
      const messages = await poll(topics, this.polledBlock);
      if (isCancelled()) return;
      this.setState("polling");
      this.polledBlock = messages.at(-1)?.data.block ?? null;
      for (const message of messages) this.publish(message);
      this.resetSequence(); // the stream begins with a snapshot: its changes since the last event are in the poll
    } catch (error) {
      if (isCancelled()) return;
      this.setState("broken", error.message);
    }
    this.pollTimer = setTimeout(() => this.poll(), POLL_MS);
  }
}
