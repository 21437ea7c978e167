// Market depth chart: cumulative bids and asks by price, on a canvas. The pointer shows the sum up to its price.

import { showLots, showPrice } from "../lib/amounts.js";
import { el } from "../lib/dom.js";
import { chart as strings } from "../strings/workspace.js";

const AXIS_HEIGHT = 24;

export class DepthChart {
  /** @param {import("../lib/amounts.js").Market} pair */
  constructor(pair) {
    this.pair = pair;
    this.node = el("canvas", { className: "depth", role: "img", "aria-label": strings.depth });
    /** @type {number|null} pixels from the left */
    this.pointer = null;
    this.node.addEventListener("pointermove", ({ offsetX }) => this.point(offsetX));
    this.node.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.render()).observe(this.node);
  }

  /** @param {import("../data/order-book.js").OrderBook} book */
  show(book) {
    this.book = book;
    this.render();
  }

  point(pointer) {
    this.pointer = pointer;
    this.render();
  }

  render() {
    if (!this.book || this.node.hidden) return; // before its size is asked for, which costs a layout
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!width || !height) return;
    const scale = devicePixelRatio || 1;
    this.node.width = width * scale;
    this.node.height = height * scale;
    const pen = this.node.getContext("2d");
    pen.scale(scale, scale);
    const range = this.range();
    if (!range) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const area = { pen, width, height: height - AXIS_HEIGHT, range, maximum: this.maximum(range) };
    this.drawSide(area, "bids", color("buy"), color("buy-tint"));
    this.drawSide(area, "asks", color("sell"), color("sell-tint"));
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.drawAxis(area, color("muted"), color("line"), font);
    this.drawPointer(area, color("text"), color("border"), font);
    const label = strings.depthSummary(showPrice(this.pair, range.bid), showPrice(this.pair, range.ask));
    this.node.setAttribute("aria-label", label);
  }

  // Prices up to the farthest level on both sides, at most 20 % from the mid price; null if a side is empty.
  range() {
    const bid = this.book.best("bids");
    const ask = this.book.best("asks");
    if (bid === null || ask === null) return null;
    const middle = Number(bid + ask) / 2;
    const farthest = (side) => Math.abs(Number(this.book.levels(side).at(-1).ticks) - middle);
    const reach = Math.max(Math.min(Math.max(farthest("bids"), farthest("asks")), middle / 5), Number(ask - bid), 2);
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

  maximum(range) {
    return Math.max(1, ...["bids", "asks"].map((side) => this.points(side, range).at(-1)?.[1] ?? 0)) * 1.1;
  }

  drawSide({ pen, width, height, range, maximum }, side, line, fill) {
    const x = (ticks) => ((ticks - range.low) / (range.high - range.low)) * width;
    const y = (sum) => height - (sum / maximum) * height;
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

  drawAxis({ pen, width, height, range }, text, line, font) {
    pen.strokeStyle = line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, height + 0.5);
    pen.lineTo(width, height + 0.5);
    pen.stroke();
    pen.fillStyle = text;
    pen.font = font;
    pen.textBaseline = "middle";
    for (const [at, align] of [[0.02, "left"], [0.5, "center"], [0.98, "right"]]) {
      pen.textAlign = align;
      const ticks = BigInt(Math.max(0, Math.round(range.low + (range.high - range.low) * at)));
      pen.fillText(showPrice(this.pair, ticks), at * width, height + AXIS_HEIGHT / 2 + 1);
    }
  }

  drawPointer({ pen, width, height, range }, text, line, font) {
    if (this.pointer === null) return;
    const ticks = BigInt(Math.round(range.low + ((range.high - range.low) * this.pointer) / width));
    const side = ticks * 2n < range.bid + range.ask ? "bids" : "asks";
    const isWithin = (level) => (side === "bids" ? level.ticks >= ticks : level.ticks <= ticks);
    const lots = this.book.levels(side).filter(isWithin).reduce((sum, level) => sum + level.lots, 0n);
    pen.strokeStyle = line;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(this.pointer, 0);
    pen.lineTo(this.pointer, height);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = text;
    pen.font = font;
    pen.textAlign = "center";
    pen.fillText(strings.depthAt(side, showPrice(this.pair, ticks), showLots(this.pair, lots), this.pair.base), width / 2, AXIS_HEIGHT / 2);
  }
}
