// The book of a pair: open orders added up by price, in ticks and lots, as the API and its stream tell.

import { lotsOf, total, units } from "./amounts.js";

/** @typedef {{ticks: bigint, lots: bigint, orders: number}} Level */
/** @typedef {Level & {sum: bigint, quote: bigint}} Row `sum`: lots up to here; `quote`: their price, in quote units */

export class Book {
  /** @param {import("./amounts.js").Market} pair */
  constructor(pair) {
    this.pair = pair;
    this.sides = { bids: new Map(), asks: new Map() };
    this.sorted = { bids: null, asks: null };
  }

  /**
   * Take a snapshot.
   * @param {{bids: any[], asks: any[]}} snapshot
   */
  load(snapshot) {
    for (const side of ["bids", "asks"]) {
      this.sides[side].clear();
      this.put(side, snapshot[side]);
    }
  }

  /**
   * Take what changed: levels as they are now, "0" for those that are gone.
   * @param {{bids?: any[], asks?: any[]}} change
   */
  change(change) {
    for (const side of ["bids", "asks"]) this.put(side, change[side] ?? []);
  }

  put(side, levels) {
    for (const level of levels) {
      const ticks = units(level.price, this.pair.priceDecimals);
      const lots = lotsOf(this.pair, units(level.amount, this.pair.basePrecision));
      if (lots === 0n) this.sides[side].delete(ticks);
      else this.sides[side].set(ticks, { ticks, lots, orders: level.orders });
    }
    this.sorted[side] = null;
  }

  /**
   * Best price first.
   * @param {"bids"|"asks"} side
   * @returns {Level[]}
   */
  levels(side) {
    const up = side === "asks" ? 1 : -1;
    this.sorted[side] ??= [...this.sides[side].values()].sort((a, b) => (a.ticks < b.ticks ? -up : up));
    return this.sorted[side];
  }

  /**
   * The best price of a side in ticks, null where it is empty.
   * @param {"bids"|"asks"} side
   */
  best(side) {
    return this.levels(side)[0]?.ticks ?? null;
  }

  /** Ticks between the best prices, null where a side is empty. */
  spread() {
    const bid = this.best("bids");
    const ask = this.best("asks");
    return bid === null || ask === null ? null : ask - bid;
  }

  /** The middle in half ticks, null where a side is empty. */
  middle() {
    const bid = this.best("bids");
    const ask = this.best("asks");
    return bid === null || ask === null ? null : bid + ask;
  }

  /**
   * Levels put together in steps of `step` ticks, with running sums: a bid is shown at the lower end of its step
   * and an ask at the upper, so that nobody reads a better price than there is.
   * @param {"bids"|"asks"} side
   * @param {bigint} step
   * @param {number} most rows
   * @returns {Row[]}
   */
  rows(side, step, most) {
    const rows = [];
    let sum = 0n;
    let quote = 0n;
    for (const level of this.levels(side)) {
      const ticks = side === "asks" ? ((level.ticks + step - 1n) / step) * step : (level.ticks / step) * step;
      let row = rows.at(-1);
      if (row?.ticks !== ticks) {
        if (rows.length === most) break;
        row = { ticks, lots: 0n, orders: 0, sum, quote };
        rows.push(row);
      }
      sum += level.lots;
      quote += total(this.pair, level.ticks, level.lots);
      Object.assign(row, { lots: row.lots + level.lots, orders: row.orders + level.orders, sum, quote });
    }
    return rows;
  }

  /**
   * What is bid and asked within so many percent of the middle, in quote units; null where a side is empty.
   * @param {number} percent
   */
  depth(percent) {
    const middle = this.middle();
    if (middle === null) return null;
    const reach = (middle * BigInt(percent)) / 100n; // like the middle in half ticks
    let quote = 0n;
    for (const side of ["bids", "asks"]) {
      for (const level of this.levels(side)) {
        const away = 2n * level.ticks - middle;
        if (away > reach || -away > reach) break;
        quote += total(this.pair, level.ticks, level.lots);
      }
    }
    return quote;
  }
}

/**
 * Steps to group prices by, in ticks: 1, 10, 100 … as long as they are far below the price.
 * @param {bigint|null} price in ticks
 * @returns {bigint[]}
 */
export function steps(price) {
  const list = [1n];
  while (list.length < 5 && price !== null && list.at(-1) * 100n <= price) list.push(list.at(-1) * 10n);
  return list;
}
