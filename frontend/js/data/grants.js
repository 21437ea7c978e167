// Grants that an account has given, and its armed cancel-all timers, kept up to date from the page's stream.

import { units } from "../lib/amounts.js";
import { read } from "./api.js";
import { latest, subscribe } from "./stream.js";

/** `to` of the grant to the account's own posting key. */
export const POSTING = "posting";

const DAY_MS = 86_400_000;
const RETRY_MS = 5000;

/**
 * The time in milliseconds since 1970 by which the chain judges what is signed now: a devnet's blocks may be ahead of
 * this device's clock.
 */
export const chainTime = () => Math.max(Date.now(), Date.parse(latest().head?.ts ?? "") || 0);

/**
 * Whether a grant's time is over.
 * @param {any} grant a row of /api/grants
 * @param {string|null} [ts] chain time of an answer
 */
export const hasEnded = (grant, ts = null) =>
  Date.parse(grant.until) <= Math.max(chainTime(), Date.parse(ts ?? "") || 0);

/**
 * Units of a token that new orders may still lock today under a grant.
 * @param {any} allowance of a row of /api/grants
 * @param {string|null} ts of that answer: the day that it counted
 * @param {number} precision of the token
 */
export function leftToday(allowance, ts, precision) {
  const day = (ms) => Math.floor(ms / DAY_MS);
  const isToday = ts !== null && day(Date.parse(ts)) === day(chainTime());
  return units(isToday ? allowance.left_today : allowance.per_day, precision);
}

export class LiveGrants {
  /**
   * @param {string} name
   * @param {() => void} onChange
   */
  constructor(name, onChange) {
    this.name = name;
    this.onChange = onChange;
    /** @type {any[]|null} grants in force that the account has given; null until loaded */
    this.given = null;
    /** @type {any[]} grants in force that it has been given, as of the last read */
    this.received = [];
    /** @type {any[]} its armed timers */
    this.timers = [];
    /** @type {string|null} chain time of the newest grants */
    this.ts = null;
    this.problem = "";
    this.blocks = { given: -1, timers: -1 }; // of the newest data: an answer may be older than an event
    this.isClosed = false;
    // The account's topic is subscribed by the page.
    this.subscription = subscribe([], (message) => this.onMessage(message));
    this.refresh();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.subscription.close();
  }

  /** Read again, now. */
  async refresh() {
    clearTimeout(this.timer);
    try {
      const [grants, timers] = await Promise.all([read("grants", { user: this.name }), read("timers", { user: this.name })]);
      this.problem = "";
      this.received = grants.received;
      this.setGrants(grants.given, grants);
      this.setTimers(timers.timers, timers);
    } catch (error) {
      this.problem = error.message;
      if (!this.isClosed) this.timer = setTimeout(() => this.refresh(), RETRY_MS);
    }
    if (!this.isClosed) this.onChange();
  }

  onMessage({ kind, data }) {
    if (kind !== "snapshot" && kind !== "change") return;
    const part = (data.accounts ?? []).find(({ user }) => user === this.name);
    if (!part) return;
    if (part.grants) this.setGrants(part.grants, data);
    if (part.timers) this.setTimers(part.timers, data);
    if (part.grants || part.timers) this.onChange();
    else if (kind === "snapshot") this.refresh(); // of polling, which does not read them
  }

  setGrants(given, { block, ts }) {
    if (block < this.blocks.given) return;
    this.blocks.given = block;
    this.given = given;
    this.ts = ts;
  }

  setTimers(timers, { block }) {
    if (block < this.blocks.timers) return;
    this.blocks.timers = block;
    this.timers = timers;
  }

  /** As `to`, with chain time and block of that answer. @param {string} to */
  newest(to) {
    return { grant: this.to(to), ts: this.ts, block: this.blocks.given };
  }

  /** The grant to an account or to `posting`, if it has not ended; null if there is none. @param {string} to */
  to(to) {
    return this.given?.find((grant) => grant.to === to && !hasEnded(grant)) ?? null;
  }
}
