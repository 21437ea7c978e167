// Candlestick and volume chart, drawn by TradingView Lightweight Charts. Prices enter as whole ticks, so that every
// label is exact.

import { grouped, plain, showPrice, units } from "../lib/amounts.js";
import { dayAndTime, hourMinute } from "../lib/format.js";
import { sides as sideNames } from "../strings/common.js";

const MAX_OWN_LINES = 20;
const MIN_VISIBLE_CANDLES = 60;
const MAX_VISIBLE_CANDLES = 140;

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
    /** @type {[number, any][]} candles by time, in seconds since 1970 */
    this.candles = [];
    this.lines = [];
    const price = (ticks) => showPrice(pair, BigInt(Math.round(ticks)));
    this.chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false }, // its inline style violates the CSP; the footer has the link
      crosshair: { mode: CrosshairMode.Normal },
      localization: { priceFormatter: price, timeFormatter: (time) => dayAndTime(new Date(time * 1000).toISOString()) },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 6, tickMarkFormatter: tickLabel },
    });
    this.series = this.chart.addSeries(CandlestickSeries, { priceFormat: { type: "custom", minMove: 1, formatter: price } });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.series.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    this.chart.subscribeCrosshairMove(({ time }) => onCrosshair(time));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 10) onStart();
    });
    this.applyTheme();
  }

  /** Read the colours of the current theme. */
  applyTheme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colors = { buy: color("buy"), sell: color("sell") };
    const crosshairLine = { color: color("border"), labelBackgroundColor: color("border") };
    this.chart.applyOptions({
      layout: {
        background: { color: color("surface") },
        textColor: color("muted"),
        fontSize: 12,
        fontFamily: getComputedStyle(document.body).fontFamily,
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
  }

  /** Replace all candles. @param {[number, any][]} candles oldest first */
  setCandles(candles) {
    this.candles = candles;
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
    const visible = Math.max(MIN_VISIBLE_CANDLES, Math.min(MAX_VISIBLE_CANDLES, count));
    this.chart.timeScale().setVisibleLogicalRange({ from: count - visible, to: count + 5 });
  }

  /** Draw a line for each own order. @param {{side: "buy"|"sell", ticks: bigint, lots: bigint}[]} orders */
  showOwnOrders(orders) {
    const shown = orders.slice(0, MAX_OWN_LINES);
    const key = shown.map(({ side, ticks }) => `${side} ${ticks}`).join();
    if (key === this.linesKey) return;
    this.linesKey = key;
    for (const line of this.lines) this.series.removePriceLine(line);
    this.lines = shown.map(({ side, ticks, lots }) =>
      this.series.createPriceLine({
        price: Number(ticks),
        color: this.colors[side],
        lineWidth: 1,
        lineStyle: 2,
        axisLabelVisible: false,
        title: `${sideNames[side]} ${grouped(plain(lots, this.pair.quantityDecimals))}`,
      }));
  }

  bar(time, candle) {
    const ticks = (text) => Number(units(text, this.pair.priceDecimals));
    return { time, open: ticks(candle.open), high: ticks(candle.high), low: ticks(candle.low), close: ticks(candle.close) };
  }

  column(time, candle) {
    const isUp = Number(candle.close) >= Number(candle.open);
    return { time, value: Number(candle.volume), color: `${isUp ? this.colors.buy : this.colors.sell}55` };
  }
}

const yearFormat = new Intl.DateTimeFormat(undefined, { year: "numeric" });
const monthFormat = new Intl.DateTimeFormat(undefined, { month: "short" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
// By the library's TickMarkType: year, month, day of month, time, time with seconds.
const TICK_LABELS = [yearFormat.format, monthFormat.format, dayFormat.format, hourMinute, hourMinute];

function tickLabel(time, type) {
  return TICK_LABELS[type](time * 1000);
}
