// Candlestick and volume chart, drawn by TradingView Lightweight Charts.
//
// Prices enter in thousands of ticks: the library spaces the labels of its price axis by 1, 2, 2.5 or 5 times a power of
// ten, and labels 2.5 ticks apart would be rounded to uneven steps. Times enter shifted to local time, because the
// library marks days by UTC; candles of days and weeks begin and end by UTC and are not shifted.

import { showPrice, units } from "../lib/amounts.js";
import { dayAndTime, utcDay } from "../lib/format.js";
import { months } from "../strings/common.js";
import { EdgeMarks } from "./edge-marks.js";
import { orderLines } from "./order-lines.js";

const SCALE = 1000;
const MIN_VISIBLE_CANDLES = 60;
const MAX_VISIBLE_CANDLES = 140;
const MAX_STRETCH = 0.5; // own orders within so many heights of the visible candles stretch the price axis
const MAX_LABELS = 8; // more would cover the candles
const MIN_CANDLE_PIXELS = 6; // narrower ones look alike, rising or falling

export class CandleChart {
  /**
   * @param {any} library the module of Lightweight Charts
   * @param {HTMLElement} container
   * @param {import("../lib/amounts.js").Market} pair
   * @param {{onCrosshair: (time: number|undefined) => void, onStart: () => void}} handlers
   *   `onStart`: the oldest candles are visible, so older ones may be needed
   */
  constructor(library, container, pair, { onCrosshair, onStart }) {
    const { createChart, CandlestickSeries, HistogramSeries, CrosshairMode } = library;
    this.pair = pair;
    this.container = container;
    /** @type {[number, any][]} candles by time, in seconds since 1970 */
    this.candles = [];
    this.drawn = [];
    /** @type {import("./order-lines.js").Line[]} */
    this.lines = [];
    this.shift = 0; // seconds that are added to times
    // The margins below candles that are near zero have no prices.
    const price = (value) => (value < 0 ? "" : showPrice(pair, BigInt(Math.round(value * SCALE))));
    this.chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false }, // its inline style violates the CSP; the footer has the link
      crosshair: { mode: CrosshairMode.Normal },
      localization: { locale: "en", priceFormatter: price, timeFormatter: (shown) => this.timeText(shown) },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 6, tickMarkFormatter: tickLabel },
    });
    this.series = this.chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "custom", minMove: 1 / SCALE, formatter: price },
      autoscaleInfoProvider: (candles) => this.withLines(candles()),
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.series.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    this.marks = new EdgeMarks(({ ticks }) => ({ price: Number(ticks) / SCALE, text: showPrice(pair, ticks) }), () => this.colors);
    this.series.attachPrimitive(this.marks);
    this.chart.subscribeCrosshairMove(({ time }) => onCrosshair(time === undefined ? time : time - this.shift));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 10) onStart();
    });
    this.applyTheme();
  }

  /** Read the colours of the current theme. */
  applyTheme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const { fontFamily } = getComputedStyle(document.body);
    this.colors = { buy: color("buy"), sell: color("sell"), onSide: color("on-side") };
    Object.assign(this.colors, { muted: color("muted"), surface: color("surface"), font: `12px ${fontFamily}` });
    const crosshairLine = { color: color("border"), labelBackgroundColor: color("border") };
    this.chart.applyOptions({
      layout: {
        background: { color: color("surface") },
        textColor: color("muted"),
        fontSize: 12,
        fontFamily,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: color("raised") } },
      crosshair: { vertLine: crosshairLine, horzLine: crosshairLine },
      rightPriceScale: { borderColor: color("line") },
      timeScale: { borderColor: color("line") },
    });
    // Rising candles are hollow and falling ones filled, so that colour is not the only difference.
    this.series.applyOptions({
      upColor: color("surface"),
      borderUpColor: color("buy"),
      wickUpColor: color("buy"),
      downColor: color("sell"),
      borderDownColor: color("sell"),
      wickDownColor: color("sell"),
      priceLineColor: color("muted"),
    });
    this.volume.setData(this.candles.map(([time, candle]) => this.column(time, candle)));
    this.drawLines();
  }

  /**
   * Replace all candles.
   * @param {[number, any][]} candles oldest first
   * @param {boolean} areDays whether they begin and end by UTC
   */
  setCandles(candles, areDays) {
    this.candles = candles;
    this.areDays = areDays;
    this.shift = areDays ? 0 : -60 * new Date().getTimezoneOffset();
    this.series.setData(candles.map(([time, candle]) => this.bar(time, candle)));
    this.volume.setData(candles.map(([time, candle]) => this.column(time, candle)));
  }

  /** Update the newest candle, or add a newer one. */
  update(time, candle) {
    if (this.candles.at(-1)?.[0] === time) this.candles.pop();
    this.candles.push([time, candle]);
    this.series.update(this.bar(time, candle));
    this.volume.update(this.column(time, candle));
  }

  /** Show the newest candles; a few candles are not stretched over the whole width. */
  fit() {
    const count = this.candles.length;
    const fitting = Math.floor(this.container.clientWidth / MIN_CANDLE_PIXELS); // 0 while it is hidden
    const most = Math.min(MAX_VISIBLE_CANDLES, fitting || MAX_VISIBLE_CANDLES);
    const visible = Math.min(most, Math.max(MIN_VISIBLE_CANDLES, count));
    this.chart.timeScale().setVisibleLogicalRange({ from: count - visible, to: count + 5 });
  }

  /** Draw the trader's orders. @param {any[]} orders rows of /api/orders of the pair: open ones and waiting stops */
  showOrders(orders) {
    const lines = orderLines(this.pair, orders);
    const key = lines.map(({ ticks, side, kind, text }) => `${ticks} ${side} ${kind} ${text}`).join();
    if (key === this.linesKey) return;
    this.linesKey = key;
    this.lines = lines;
    this.drawLines();
  }

  drawLines() {
    for (const line of this.drawn) this.series.removePriceLine(line);
    const isCrowded = this.lines.length > MAX_LABELS;
    this.drawn = this.lines.map(({ ticks, side, kind, text }) =>
      this.series.createPriceLine({
        price: Number(ticks) / SCALE,
        color: this.colors[side],
        axisLabelTextColor: this.colors.onSide,
        lineWidth: 1,
        lineStyle: kind === "stop" ? 1 : 2, // dotted, dashed
        axisLabelVisible: kind === "stop" || !isCrowded, // without it there is no title either
        title: text,
      }));
    this.marks.show(this.lines);
  }

  // The range of prices with the lines that are near; one far away would flatten the candles, and has a mark at the edge.
  withLines(info) {
    if (!info?.priceRange) return info;
    const { minValue, maxValue } = info.priceRange;
    const reach = (maxValue - minValue) * MAX_STRETCH;
    const near = this.lines.map(({ ticks }) => Number(ticks) / SCALE).filter((price) => price >= minValue - reach && price <= maxValue + reach);
    return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
  }

  timeText(shown) {
    return this.areDays ? utcDay(iso(shown)) : dayAndTime((shown - this.shift) * 1000);
  }

  bar(time, candle) {
    const price = (text) => Number(units(text, this.pair.priceDecimals)) / SCALE;
    const { open, high, low, close } = candle;
    return { time: time + this.shift, open: price(open), high: price(high), low: price(low), close: price(close) };
  }

  column(time, candle) {
    const isUp = Number(candle.close) >= Number(candle.open);
    return { time: time + this.shift, value: Number(candle.volume), color: `${isUp ? this.colors.buy : this.colors.sell}55` };
  }
}

const iso = (shown) => new Date(shown * 1000).toISOString();

// Labels of the time axis by the library's TickMarkType: year, month, day of month, time, time with seconds.
function tickLabel(shown, type) {
  const text = iso(shown);
  const month = months[Number(text.slice(5, 7)) - 1];
  return [text.slice(0, 4), month, `${Number(text.slice(8, 10))} ${month}`, text.slice(11, 16), text.slice(11, 19)][type];
}
