// Header of the trading screen: the pair, its last price and its 24h statistics.

import { grouped } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { NONE, compact, percentChange, setPrice } from "../lib/format.js";
import { pairBar as strings } from "../strings/trade.js";

export class PairBar {
  /**
   * @param {HTMLElement} root
   * @param {import("../lib/amounts.js").Market} pair
   * @param {() => void} pick called to choose another pair
   */
  constructor(root, pair, pick) {
    this.pair = pair;
    this.lastPrice = el("span", { className: "last-price" }, NONE);
    this.status = el("span", { className: "tag warn", hidden: true });
    this.stats = {};
    const stat = (name, label, className = "") => {
      this.stats[name] = el("dd", {}, NONE);
      return el("div", { className }, el("dt", {}, label), this.stats[name]);
    };
    const name = el("span", {}, pair.base, el("span", { className: "quote" }, ` / ${pair.quote}`));
    const pickButton = button(name, pick, { className: "pair-button", "aria-haspopup": "dialog", title: strings.pick });
    root.replaceChildren(
      el("h1", { className: "pair-name" }, pickButton),
      this.status,
      this.lastPrice,
      el(
        "dl",
        { className: "stats" },
        stat("change", strings.change),
        stat("high", strings.high),
        stat("low", strings.low),
        stat("quoteVolume", strings.volume(pair.quote)),
        stat("baseVolume", strings.volume(pair.base), "optional"),
        stat("spread", strings.spread, "spread"),
      ),
    );
  }

  /** @param {any} row of /api/pairs */
  show(row) {
    const { stats } = this;
    const [text, side] = percentChange(row.change_24h_percent);
    setText(stats.change, text);
    stats.change.className = side;
    setText(stats.high, row.high_24h === null ? NONE : grouped(row.high_24h));
    setText(stats.low, row.low_24h === null ? NONE : grouped(row.low_24h));
    setText(stats.quoteVolume, compact(row.quote_volume_24h));
    setText(stats.baseVolume, compact(row.base_volume_24h));
    if (this.lastPrice.textContent === NONE && row.last_price) this.showLastPrice(grouped(row.last_price), null);
    this.status.hidden = row.status === "active";
    setText(this.status, strings.status[row.status] ?? row.status);
  }

  /**
   * @param {string} price decimal text with thousands separators
   * @param {"buy"|"sell"|null} side of its taker
   * @returns {boolean} true if it replaced another price
   */
  showLastPrice(price, side) {
    if (side) this.lastPrice.className = `last-price ${side}`;
    return setPrice(this.lastPrice, price);
  }

  /** @param {string|null} spread decimal text with thousands separators */
  showSpread(spread) {
    setText(this.stats.spread, spread ?? NONE);
  }
}
