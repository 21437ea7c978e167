// Fields of a protective stop: its price, the worst price of the market order that it places, and what it will do.

import { plainPrice, showPrice, worstPrice } from "../lib/amounts.js";
import { el, setText } from "../lib/dom.js";
import { parse } from "../lib/parse-amount.js";
import { field, NUMERIC } from "../lib/widgets.js";
import { amounts as inputStrings } from "../strings/common.js";
import { stopFields as strings } from "../strings/ticket.js";

const SLIPPAGE_BPS = 500;

export class StopFields {
  /**
   * @param {string} prefix of the ids
   * @param {import("../lib/amounts.js").Market} pair
   * @param {() => void} onInput
   */
  constructor(prefix, pair, onInput) {
    this.pair = pair;
    const input = (name, label, oninput) => field(`${prefix}-${name}`, label, { ...NUMERIC, oninput });
    this.stop = input("stop", strings.stop, onInput);
    this.worst = input("worst", strings.worst, () => {
      this.isWorstTyped = this.worst.input.value !== "";
      onInput();
    });
    this.isWorstTyped = false; // else it follows from the stop price
    this.effect = el("p", { className: "muted small" });
    this.node = el("div", { className: "stop-fields" }, el("div", { className: "option-row" }, this.stop.node, this.worst.node), this.effect);
  }

  /** Say what it will do. @param {"buy"|"sell"} side @param {{stopTicks: bigint, limitTicks: bigint}|null} protect */
  show(side, protect) {
    const price = (ticks) => showPrice(this.pair, ticks);
    setText(this.effect, protect ? strings.effect({ side, stop: price(protect.stopTicks), worst: price(protect.limitTicks) }) : "");
  }

  /** Let the worst price follow from the stop price, unless it was typed. @param {"buy"|"sell"} side */
  follow(side) {
    if (this.isWorstTyped || document.activeElement === this.worst.input) return;
    const { units: ticks } = parse(this.stop.input.value, this.pair.priceDecimals);
    this.worst.input.value = ticks ? plainPrice(this.pair, worstPrice(side, ticks, SLIPPAGE_BPS)) : "";
  }

  /**
   * What was entered, with its errors by field; `protect` is null while it is incomplete or wrong.
   * @returns {{protect: {stopTicks: bigint, limitTicks: bigint}|null, errors: [import("../lib/widgets.js").Field, string][]}}
   */
  read() {
    const errors = [];
    const [stopTicks, limitTicks] = [this.stop, this.worst].map((field) => {
      const { units: ticks, problem } = parse(field.input.value, this.pair.priceDecimals);
      if (problem || ticks === 0n) errors.push([field, problem || inputStrings.zero]);
      return ticks || null;
    });
    return { protect: stopTicks && limitTicks ? { stopTicks, limitTicks } : null, errors };
  }
}
