// Order book of a pair: open orders aggregated by price, in ticks and lots.

import { lotsOf, total, units } from "../lib/amounts.js";

/** @typedef {{ticks: bigint, lots: bigint, orders: number}} Level */
/** @typedef {Level & {sum: bigint}} Row `sum`: cumulative lots from the best price to this row */

/**
 * The price of the group of `step` ticks that a price belongs to: bids are rounded down and asks up, so that the
 * book never shows a better price than there is.
 * @param {"bids"|"asks"} side
 * @param {bigint} ticks
 * @param {bigint} step
 */
export const groupPrice = (side, ticks, step) => (side === "asks" ? (ticks + step - 1n) / step : ticks / step) * step;

export class OrderBook {
  /** @param {import("../lib/amounts.js").Market} pair */
  constructor(pair) {
    this.pair = pair;
    this.sides = { bids: new Map(), asks: new Map() };
    this.sorted = { bids: null, asks: null };
  }

  /**
   * Replace all levels.
   * @param {{bids: any[], asks: any[]}} snapshot
   */
  load(snapshot) {
    for (const side of ["bids", "asks"]) {
      this.sides[side].clear();
      this.setLevels(side, snapshot[side]);
    }
  }

  /**
   * Update the levels that changed; one with the amount 0 is removed.
   * @param {{bids?: any[], asks?: any[]}} change
   */
  change(change) {
    for (const side of ["bids", "asks"]) this.setLevels(side, change[side] ?? []);
  }

  setLevels(side, levels) {
    for (const level of levels) {
      const ticks = units(level.price, this.pair.priceDecimals);
      const lots = lotsOf(this.pair, units(level.amount, this.pair.basePrecision));
      if (lots === 0n) this.sides[side].delete(ticks);
      else this.sides[side].set(ticks, { ticks, lots, orders: level.orders });
    }
    this.sorted[side] = null;
  }

  /**
   * Levels of a side, best price first.
   * @param {"bids"|"asks"} side
   * @returns {Level[]}
   */
  levels(side) {
    const up = side === "asks" ? 1 : -1;
    this.sorted[side] ??= [...this.sides[side].values()].sort((a, b) => (a.ticks < b.ticks ? -up : up));
    return this.sorted[side];
  }

  /**
   * The best price of a side in ticks; null if the side is empty.
   * @param {"bids"|"asks"} side
   */
  best(side) {
    return this.levels(side)[0]?.ticks ?? null;
  }

  /** The spread in ticks; null if a side is empty. */
  spread() {
    const bid = this.best("bids");
    const ask = this.best("asks");
    return bid === null || ask === null ? null : ask - bid;
  }

  /** The mid price in half ticks; null if a side is empty. */
  middle() {
    const bid = this.best("bids");
    const ask = this.best("asks");
    return bid === null || ask === null ? null : bid + ask;
  }

  /**
   * Levels grouped in steps of `step` ticks, with cumulative sums.
   * @param {"bids"|"asks"} side
   * @param {bigint} step
   * @param {number} most rows
   * @returns {Row[]}
   */
  rows(side, step, most) {
    const rows = [];
    let sum = 0n;
    for (const level of this.levels(side)) {
      const ticks = groupPrice(side, level.ticks, step);
      let row = rows.at(-1);
      if (row?.ticks !== ticks) {
        if (rows.length === most) break;
        row = { ticks, lots: 0n, orders: 0, sum };
        rows.push(row);
      }
      sum += level.lots;
      Object.assign(row, { lots: row.lots + level.lots, orders: row.orders + level.orders, sum });
    }
    return rows;
  }

  /**
   * Depth of both sides within a percentage of the mid price, in quote units; null if a side is empty.
   * @param {number} percent
   */
  depth(percent) {
    const middle = this.middle();
    if (middle === null) return null;
    const reach = (middle * BigInt(percent)) / 100n; // in half ticks, as the mid price
    let quote = 0n;
    for (const side of ["bids", "asks"]) {
      for (const level of this.levels(side)) {
        const distance = 2n * level.ticks - middle;
        if (distance > reach || -distance > reach) break;
        quote += total(this.pair, level.ticks, level.lots);
      }
    }
    return quote;
  }
}

/**
 * Price grouping steps in ticks: 1, 10, 100 … while they are at most a tenth of the price.
 * @param {bigint|null} price in ticks
 * @returns {bigint[]}
 */
export function groupingSteps(price) {
  const steps = [1n];
  while (steps.length < 5 && price !== null && steps.at(-1) * 100n <= price) steps.push(steps.at(-1) * 10n);
  return steps;
}
