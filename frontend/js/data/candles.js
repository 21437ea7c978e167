// Candles of a pair: pages of the API, kept up to date from the stream. Where the stream began anew, it may have skipped
// blocks: the candles since the last certain one are read again.

import { ApiError } from "../lib/api-protocol.js";
import { read } from "./api.js";

const PAGE = 500;
const RETRY_MS = 1500;

export class Candles {
  /**
   * @param {{base: string, quote: string}} pair
   * @param {string} interval
   * @param {number} block the stream's newest one so far: answers before it may lack candles
   * @param {(isReplaced: boolean) => void} onMissed called after skipped candles were added. `isReplaced`: they were so
   *   many that older ones were dropped
   */
  constructor({ base, quote }, interval, block, onMissed) {
    this.query = { base, quote, interval, limit: PAGE };
    this.onMissed = onMissed;
    /** @type {Map<number, any>} by time, in seconds since 1970 */
    this.byTime = new Map();
    /** @type {number[]|null} times of the candles, ascending; null until loaded */
    this.times = null;
    this.hasAll = false; // no older candles exist
    this.isClosed = false;
    this.block = block; // the newest one that was received
    this.needed = block; // that of the last snapshot: what follows it comes as changes
    this.readTo = 0; // block of the last answer
    this.certain = 0; // time of the candle up to which none is missing
  }

  /** End reading: other candles are shown. */
  close() {
    this.isClosed = true;
  }

  /**
   * Load the newest page.
   * @throws {ApiError}
   */
  async load() {
    const { candles } = await this.readPage({});
    this.hasAll = candles.length < PAGE;
    this.sort();
    this.readMissed();
  }

  /**
   * Load the page before the oldest candle; a failed request is the last one.
   * @returns {Promise<boolean>} whether there are new ones
   */
  async loadOlder() {
    if (this.hasAll || this.isLoadingOlder || !this.times?.length) return false;
    this.isLoadingOlder = true;
    const [oldest] = this.times;
    try {
      const { candles } = await read("candles", { ...this.query, to: oldest - 1 });
      if (this.times[0] !== oldest) return false; // dropped meanwhile
      this.hasAll = candles.length < PAGE;
      for (const candle of candles) this.put(candle);
      this.sort();
      return candles.length > 0;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.hasAll = true;
      return false;
    } finally {
      this.isLoadingOlder = false;
    }
  }

  /**
   * Apply the newest candle of a snapshot or change.
   * @param {"snapshot"|"change"} kind
   * @param {number} block
   * @param {any} candle null before the pair's first trade
   * @returns {boolean} false if the block is older than these candles: they are of another history
   */
  apply(kind, block, candle) {
    const isSnapshot = kind === "snapshot";
    if (isSnapshot && block < this.block) return false;
    const isSkip = isSnapshot && block > this.block;
    if (isSkip) this.needed = block;
    this.block = block;
    if (candle) {
      const time = this.put(candle);
      if (this.times && time > (this.times.at(-1) ?? 0)) this.times.push(time);
      if (this.readTo >= this.needed) this.certain = time;
    }
    if (isSkip) this.readMissed();
    return true;
  }

  // Reads until an answer has the snapshot's block: behind a proxy it may be a second older.
  async readMissed() {
    if (this.isReadingMissed || !this.times) return;
    this.isReadingMissed = true;
    while (this.readTo < this.needed) {
      try {
        const { candles, next_cursor: hasOlder } = await this.readPage({ from: this.certain });
        if (hasOlder) this.dropBefore(timeOf(candles[0]));
        this.sort();
        if (!this.isClosed) this.onMissed(Boolean(hasOlder));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
      if (this.readTo < this.needed) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (this.isClosed) return;
    }
    this.isReadingMissed = false;
  }

  async readPage(range) {
    const page = await read("candles", { ...this.query, ...range });
    for (const candle of page.candles) this.put(candle);
    this.readTo = page.block ?? this.needed; // null before the venue's first block
    this.block = Math.max(this.block, this.readTo);
    this.certain = page.candles.length ? timeOf(page.candles.at(-1)) : this.certain;
    return page;
  }

  // Answers and changes may come in any order: of two states of a candle the newer one has more trades.
  put(candle) {
    const time = timeOf(candle);
    if (!(candle.trades < this.byTime.get(time)?.trades)) this.byTime.set(time, candle);
    return time;
  }

  dropBefore(time) {
    for (const held of this.byTime.keys()) if (held < time) this.byTime.delete(held);
    this.hasAll = false;
  }

  sort() {
    this.times = [...this.byTime.keys()].sort((a, b) => a - b);
  }
}

const timeOf = (candle) => Date.parse(candle.ts) / 1000;
