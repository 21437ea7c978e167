// The book as a picture: what could be bought and sold up to each price.

import { showPrice } from "./amounts.js";
import { make } from "./dom.js";
import { chart as words } from "./strings.js";

const FOOT = 24;

export class DepthChart {
  /** @param {import("./amounts.js").Market} pair */
  constructor(pair) {
    this.pair = pair;
    this.node = make("canvas", { className: "depth", role: "img", "aria-label": words.depth });
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** @param {import("./book.js").Book} book */
  show(book) {
    this.book = book;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!this.book || !width || !height) return;
    const scale = devicePixelRatio || 1;
    this.node.width = width * scale;
    this.node.height = height * scale;
    const pen = this.node.getContext("2d");
    pen.scale(scale, scale);
    const range = this.range();
    if (!range) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const area = { pen, width, height: height - FOOT, range, top: this.top(range) };
    this.side(area, "bids", color("buy"), color("buy-tint"));
    this.side(area, "asks", color("sell"), color("sell-tint"));
    this.axis(area, color("muted"), color("line"), getComputedStyle(document.body).fontFamily);
    this.node.setAttribute(
      "aria-label",
      words.depthSummary(showPrice(this.pair, range.bid), showPrice(this.pair, range.ask)),
    );
  }

  // As far from the middle on either side as the nearer of the two outermost levels, at most a fifth of the price.
  range() {
    const bid = this.book.best("bids");
    const ask = this.book.best("asks");
    if (bid === null || ask === null) return null;
    const middle = Number(bid + ask) / 2;
    const far = (side) => Math.abs(Number(this.book.levels(side).at(-1).ticks) - middle);
    const reach = Math.max(Math.min(Math.max(far("bids"), far("asks")), middle / 5), Number(ask - bid), 2);
    return { bid, ask, low: middle - reach, high: middle + reach };
  }

  points(side, { low, high }) {
    const points = [];
    let sum = 0n;
    for (const level of this.book.levels(side)) {
      const ticks = Number(level.ticks);
      if (ticks < low || ticks > high) break;
      sum += level.lots;
      points.push([ticks, Number(sum)]);
    }
    return points;
  }

  top(range) {
    return Math.max(1, this.points("bids", range).at(-1)?.[1] ?? 0, this.points("asks", range).at(-1)?.[1] ?? 0) * 1.1;
  }

  side({ pen, width, height, range, top }, side, line, fill) {
    const x = (ticks) => ((ticks - range.low) / (range.high - range.low)) * width;
    const y = (sum) => height - (sum / top) * height;
    const points = this.points(side, range);
    if (!points.length) return;
    const edge = side === "bids" ? 0 : width;
    pen.beginPath();
    pen.moveTo(x(points[0][0]), height);
    let before = height;
    for (const [ticks, sum] of points) {
      pen.lineTo(x(ticks), before);
      before = y(sum);
      pen.lineTo(x(ticks), before);
    }
    pen.lineTo(edge, before);
    pen.strokeStyle = line;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.lineTo(edge, height);
    pen.fillStyle = fill;
    pen.fill();
  }

  axis({ pen, width, height, range }, text, line, font) {
    pen.strokeStyle = line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, height + 0.5);
    pen.lineTo(width, height + 0.5);
    pen.stroke();
    pen.fillStyle = text;
    pen.font = `12px ${font}`;
    pen.textBaseline = "middle";
    for (const [at, align] of [
      [0.02, "left"],
      [0.5, "center"],
      [0.98, "right"],
    ]) {
      pen.textAlign = align;
      const ticks = BigInt(Math.max(0, Math.round(range.low + (range.high - range.low) * at)));
      pen.fillText(showPrice(this.pair, ticks), at * width, height + FOOT / 2 + 1);
    }
  }
}
