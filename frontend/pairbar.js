// The head of the trading screen: the pair, its last price and its figures of 24 hours.

import { grouped } from "./amounts.js";
import { make, write } from "./dom.js";
import { NONE, change, short, writePrice } from "./figures.js";
import { pairBar as words } from "./strings.js";

export class PairBar {
  /**
   * @param {HTMLElement} root
   * @param {import("./amounts.js").Market} pair
   * @param {() => void} pick called to choose another pair
   */
  constructor(root, pair, pick) {
    this.last = make("span", { className: "lastprice" }, NONE);
    this.status = make("span", { className: "tag warn", hidden: true });
    this.cells = {};
    const cell = (name, text, extra) => {
      this.cells[name] = make("dd", {}, NONE);
      return make("div", { className: extra ? "extra" : "" }, make("dt", {}, text), this.cells[name]);
    };
    this.pair = pair;
    root.replaceChildren(
      make(
        "h1",
        { className: "pairname" },
        make(
          "button",
          { type: "button", className: "pairpick", onclick: pick, "aria-haspopup": "dialog", title: words.pick },
          make("span", {}, pair.base, make("span", { className: "quote" }, ` / ${pair.quote}`)),
        ),
      ),
      this.status,
      this.last,
      make(
        "dl",
        { className: "figures" },
        cell("change", words.change),
        cell("high", words.high),
        cell("low", words.low),
        cell("volume", words.volume(pair.quote)),
        cell("base", words.volume(pair.base), true),
        cell("spread", words.spread),
      ),
    );
  }

  /** @param {any} row of /api/pairs */
  show(row) {
    const [text, side] = change(row.change_24h_percent);
    write(this.cells.change, text);
    this.cells.change.className = side;
    write(this.cells.high, row.high_24h === null ? NONE : grouped(row.high_24h));
    write(this.cells.low, row.low_24h === null ? NONE : grouped(row.low_24h));
    write(this.cells.volume, short(row.quote_volume_24h));
    write(this.cells.base, short(row.base_volume_24h));
    if (this.last.textContent === NONE && row.last_price) this.showLast(grouped(row.last_price), null);
    this.status.hidden = row.status === "active";
    write(this.status, words.status[row.status] ?? row.status);
  }

  /**
   * @param {string} price separated decimal text
   * @param {"buy"|"sell"|null} side of its taker
   */
  showLast(price, side) {
    if (side) this.last.className = `lastprice ${side}`;
    return writePrice(this.last, price);
  }

  /** @param {string|null} spread separated decimal text */
  showSpread(spread) {
    write(this.cells.spread, spread ?? NONE);
  }
}
