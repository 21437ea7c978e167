// Candles with volume. The library is loaded after the first paint; prices go into it as whole ticks, so that
// every label is exact. The same data stands in a sentence and in a table.

import { ApiError, read } from "./api.js";
import { grouped, plain, showPrice, units } from "./amounts.js";
import { DepthChart } from "./depthchart.js";
import { make, write } from "./dom.js";
import { cut, short } from "./figures.js";
import { INTERVALS, keepInterval } from "./intervals.js";
import { Rows, row, table } from "./rows.js";
import { chart as words } from "./strings.js";
import { dayAndTime, inFull } from "./when.js";

const PAGE = 500;
const TABLE_ROWS = 60;

export class Chart {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("./amounts.js").Market} pair
   * @param {string} interval
   * @param {(interval: string) => void} changed another interval was chosen
   */
  constructor(root, pair, interval, changed) {
    this.pair = pair;
    this.changed = changed;
    this.interval = interval;
    this.view = "candles";
    /** @type {Map<number, any>} candles by time */
    this.candles = new Map();
    this.complete = false;
    this.library = null;
    this.lines = [];
    this.build(root);
  }

  build(root) {
    const press = (name, text, run) =>
      make(
        "button",
        { type: "button", role: "tab", "aria-selected": "false", dataset: { name }, onclick: () => run(name) },
        text,
      );
    this.intervals = make(
      "div",
      { className: "tabs", role: "tablist", "aria-label": words.interval },
      ...INTERVALS.map((name) => press(name, name, (chosen) => this.choose(chosen))),
    );
    this.views = make(
      "div",
      { className: "tabs", role: "tablist", "aria-label": words.view },
      ...["candles", "depth", "table"].map((name) => press(name, words.views[name], (chosen) => this.look(chosen))),
    );
    this.legend = make("p", { className: "legend", "aria-hidden": "true" });
    this.canvas = make("div", { className: "canvas", role: "img", "aria-label": words.title });
    this.skeleton = make("div", { className: "skeleton", "aria-hidden": "true" });
    this.note = make("div", { className: "empty", hidden: true });
    this.depth = new DepthChart(this.pair);
    const columns = words.columns(this.pair).map((text, at) => ({ text, num: at > 0 }));
    const { node, body } = table(words.caption(this.pair), columns, "dense");
    this.rows = new Rows(
      body,
      (candle) => candle.ts,
      () => row(columns),
      (line, candle) => this.fill(line, candle),
    );
    this.tableView = make(
      "div",
      { className: "scroll", hidden: true, tabindex: "0", role: "group", "aria-label": words.caption(this.pair) },
      node,
    );
    this.depth.node.hidden = true;
    root.replaceChildren(
      make(
        "header",
        {},
        make("h2", { id: "chart-title", className: "unseen" }, words.title),
        this.intervals,
        make("span", { className: "room" }),
        this.views,
      ),
      make(
        "div",
        { className: "plot" },
        this.legend,
        this.skeleton,
        this.canvas,
        this.depth.node,
        this.tableView,
        this.note,
      ),
    );
    this.mark();
  }

  /** Load the library and the candles: after the first paint. */
  async start() {
    const candles = this.load();
    try {
      this.library = await import("./vendor/lightweight-charts.js");
      this.draw();
    } catch {
      this.look("table");
    }
    await candles;
  }

  choose(interval) {
    this.interval = interval;
    keepInterval(interval);
    this.changed(interval);
    this.load();
    if (this.view === "depth") this.look("candles");
    this.mark();
  }

  look(view) {
    this.view = view;
    this.canvas.hidden = view !== "candles";
    this.legend.hidden = view !== "candles";
    this.depth.node.hidden = view !== "depth";
    this.tableView.hidden = view !== "table";
    if (view === "table") this.showTable();
    this.mark();
  }

  mark() {
    for (const [list, chosen] of [
      [this.intervals, this.interval],
      [this.views, this.view],
    ]) {
      for (const button of list.children) button.setAttribute("aria-selected", String(button.dataset.name === chosen));
      const shown = list.querySelector('[aria-selected="true"]');
      list.scrollLeft = shown.offsetLeft - list.offsetLeft - list.clientWidth / 2;
    }
  }

  /** Read the newest candles of the interval. */
  async load() {
    const interval = this.interval;
    this.candles.clear();
    this.complete = false;
    this.say(null);
    try {
      const body = await this.page(interval, {});
      if (interval !== this.interval) return;
      this.put(body);
      this.showAll(true);
    } catch (error) {
      if (!(error instanceof ApiError) || interval !== this.interval) throw error;
      this.say(words.failed, () => this.load());
    }
  }

  page(interval, where) {
    const { base, quote } = this.pair;
    return read("candles", { base, quote, interval, limit: PAGE, ...where }).then((body) => body.candles);
  }

  put(candles) {
    if (candles.length < PAGE) this.complete = true;
    for (const candle of candles) this.candles.set(Date.parse(candle.ts) / 1000, candle);
    this.times = [...this.candles.keys()].sort((a, b) => a - b);
  }

  /**
   * A candle as it is now.
   * @param {string} interval
   * @param {any} candle
   */
  update(interval, candle) {
    if (interval !== this.interval || !this.times) return;
    const time = Date.parse(candle.ts) / 1000;
    if (!this.candles.has(time)) this.times.push(time);
    this.candles.set(time, candle);
    if (this.times.length === 1) this.showAll(true);
    else if (this.series && time >= this.times.at(-1)) {
      this.series.update(this.bar(time, candle));
      this.volume.update(this.column(time, candle));
      this.tell();
    }
    if (this.view === "table") this.showTable();
  }

  draw() {
    const { createChart, CandlestickSeries, HistogramSeries, CrosshairMode } = this.library;
    this.graph = createChart(this.canvas, {
      autoSize: true,
      layout: { attributionLogo: false }, // it brings a style that our policy blocks; the foot has the link
      crosshair: { mode: CrosshairMode.Normal },
      localization: {
        priceFormatter: (ticks) => showPrice(this.pair, BigInt(Math.round(ticks))),
        timeFormatter: (time) => dayAndTime(new Date(time * 1000).toISOString()),
      },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 6,
        tickMarkFormatter: (time, kind) => tick(time, kind),
      },
    });
    this.series = this.graph.addSeries(CandlestickSeries, {
      priceFormat: {
        type: "custom",
        minMove: 1,
        formatter: (ticks) => showPrice(this.pair, BigInt(Math.round(ticks))),
      },
    });
    this.volume = this.graph.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.series.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    this.graph.subscribeCrosshairMove(({ time }) => this.showLegend(time));
    this.graph.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 10) this.loadOlder();
    });
    this.paintTheme();
    document.documentElement.addEventListener("themechange", () => this.paintTheme());
    if (this.times) this.showAll(true);
  }

  paintTheme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colors = { buy: color("buy"), sell: color("sell") };
    this.graph.applyOptions({
      layout: {
        background: { color: color("surface") },
        textColor: color("muted"),
        fontSize: 12,
        fontFamily: getComputedStyle(document.body).fontFamily,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: color("raised") } },
      crosshair: {
        vertLine: { color: color("border"), labelBackgroundColor: color("border") },
        horzLine: { color: color("border"), labelBackgroundColor: color("border") },
      },
      rightPriceScale: { borderColor: color("line") },
      timeScale: { borderColor: color("line") },
    });
    // Rising is hollow, falling is filled: the side is never colour alone.
    this.series.applyOptions({
      upColor: color("surface"),
      borderUpColor: color("buy"),
      wickUpColor: color("buy"),
      downColor: color("sell"),
      borderDownColor: color("sell"),
      wickDownColor: color("sell"),
      priceLineColor: color("muted"),
    });
    if (this.times) this.volume.setData(this.times.map((time) => this.column(time, this.candles.get(time))));
    this.depth.draw();
  }

  bar(time, candle) {
    const ticks = (text) => Number(units(text, this.pair.priceDecimals));
    return {
      time,
      open: ticks(candle.open),
      high: ticks(candle.high),
      low: ticks(candle.low),
      close: ticks(candle.close),
    };
  }

  column(time, candle) {
    const up = Number(candle.close) >= Number(candle.open);
    return { time, value: Number(candle.volume), color: `${up ? this.colors.buy : this.colors.sell}55` };
  }

  showAll(fit) {
    this.say(this.times.length ? "" : words.none);
    if (this.series) {
      this.series.setData(this.times.map((time) => this.bar(time, this.candles.get(time))));
      this.volume.setData(this.times.map((time) => this.column(time, this.candles.get(time))));
      if (fit) this.fit();
    }
    this.tell();
    if (this.view === "table") this.showTable();
  }

  // A young market's few candles are not blown up to fill the whole width.
  fit() {
    const shown = Math.max(60, Math.min(140, this.times.length));
    this.graph.timeScale().setVisibleLogicalRange({ from: this.times.length - shown, to: this.times.length + 5 });
  }

  async loadOlder() {
    if (this.complete || this.loadingOlder || !this.times?.length) return;
    this.loadingOlder = true;
    const interval = this.interval;
    try {
      const older = await this.page(interval, { to: this.times[0] - 1 });
      if (interval !== this.interval) return;
      this.put(older);
      this.showAll(false);
    } catch {
      this.complete = true; // asked again with the next interval
    } finally {
      this.loadingOlder = false;
    }
  }

  // What the picture shows, in one sentence for those who do not see it.
  tell() {
    if (!this.times.length) return;
    const recent = this.times.slice(-100).map((time) => this.candles.get(time));
    const by = (name, better) =>
      recent
        .map((candle) => candle[name])
        .reduce((a, b) => (better(units(b, this.pair.priceDecimals), units(a, this.pair.priceDecimals)) ? b : a));
    const last = recent.at(-1);
    this.canvas.setAttribute(
      "aria-label",
      words.summary({
        pair: `${this.pair.base}/${this.pair.quote}`,
        interval: this.interval,
        count: recent.length,
        last: grouped(last.close),
        high: grouped(by("high", (a, b) => a > b)),
        low: grouped(by("low", (a, b) => a < b)),
      }),
    );
    this.showLegend(null);
  }

  showLegend(time) {
    const candle = this.candles.get(time ?? this.times?.at(-1));
    if (!candle) return;
    const parts = [
      ["O", grouped(candle.open)],
      ["H", grouped(candle.high)],
      ["L", grouped(candle.low)],
      ["C", grouped(candle.close)],
      [words.volume, short(candle.volume)],
    ];
    this.legend.replaceChildren(...parts.map(([name, value]) => make("span", {}, `${name} `, make("b", {}, value))));
  }

  showTable() {
    if (!this.times) return;
    this.rows.show(
      this.times
        .slice(-TABLE_ROWS)
        .reverse()
        .map((time) => this.candles.get(time)),
    );
  }

  fill(line, candle) {
    const cells = line.children;
    write(cells[0], dayAndTime(candle.ts));
    cells[0].title = inFull(candle.ts);
    ["open", "high", "low", "close"].forEach((name, at) => write(cells[at + 1], grouped(candle[name])));
    write(cells[5], cut(candle.volume, Math.max(0, this.pair.quantityDecimals)));
  }

  // null: loading; "": nothing to say.
  say(text, retry) {
    this.skeleton.hidden = text !== null;
    this.note.hidden = !text;
    if (!text) return;
    this.note.replaceChildren(
      make("p", {}, text),
      ...(retry ? [make("button", { type: "button", className: "plain", onclick: retry }, words.retry)] : []),
    );
  }

  /**
   * @param {import("./book.js").Book} book
   * @param {{side: "buy"|"sell", ticks: bigint, lots: bigint}[]} own the trader's orders in it
   */
  showBook(book, own) {
    this.depth.show(book);
    this.showOwn(own);
  }

  showOwn(own) {
    if (!this.series) return;
    const wanted = own
      .slice(0, 20)
      .map((order) => `${order.side} ${order.ticks}`)
      .join();
    if (wanted === this.shownOwn) return;
    this.shownOwn = wanted;
    for (const line of this.lines) this.series.removePriceLine(line);
    this.lines = own.slice(0, 20).map((order) =>
      this.series.createPriceLine({
        price: Number(order.ticks),
        color: this.colors[order.side],
        lineWidth: 1,
        lineStyle: 2,
        axisLabelVisible: false,
        title: `${words[order.side]} ${plain(order.lots, this.pair.quantityDecimals)}`,
      }),
    );
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat(undefined, { year: "numeric" });
const month = new Intl.DateTimeFormat(undefined, { month: "short" });

// The library's kinds of marks: 0 year, 1 month, 2 day, 3 and 4 time.
function tick(time, kind) {
  return [year, month, day, clock, clock][kind].format(new Date(time * 1000));
}
