// Chart panel: candles, market depth and a table of the candles, by interval. The chart library is loaded after the
// first paint; if it fails, the table is shown.

import { Candles } from "../data/candles.js";
import { ApiError } from "../lib/api-protocol.js";
import { grouped, units } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { compact, fixed, setTime, utcDay } from "../lib/format.js";
import { KeyedRows, table, tableRow } from "../lib/table.js";
import { errorNote } from "../lib/widgets.js";
import { chart as strings } from "../strings/workspace.js";
import { DepthChart } from "./depth-chart.js";
import { INTERVALS, isOfDays, storeInterval } from "./intervals.js";

const TABLE_ROWS = 60;
const SUMMARY_CANDLES = 100;

export class ChartPanel {
  /**
   * @param {HTMLElement} root an empty panel
   * @param {import("../lib/amounts.js").Market} pair
   * @param {string} interval
   * @param {number} block the stream's newest one, 0 before the first
   * @param {(interval: string) => void} onInterval called when another interval is chosen
   */
  constructor(root, pair, interval, block, onInterval) {
    this.pair = pair;
    this.interval = interval;
    this.block = block;
    this.onInterval = onInterval;
    this.view = "candles";
    /** @type {Candles|null} of the interval; null before the start */
    this.candles = null;
    /** @type {import("./candle-chart.js").CandleChart|null} */
    this.chart = null;
    this.build(root);
  }

  build(root) {
    const tab = (name, text, run) =>
      button(text, () => run(name), { role: "tab", "aria-selected": "false", dataset: { name } });
    const tabs = (label, ...children) => el("div", { className: "tabs", role: "tablist", "aria-label": label }, ...children);
    this.intervalTabs = tabs(strings.interval, ...INTERVALS.map((name) => tab(name, name, (chosen) => this.setInterval(chosen))));
    this.intervalTabs.classList.add("intervals");
    this.intervalMenu = el( // instead of the tabs on narrow screens
      "select",
      { "aria-label": strings.interval, onchange: () => this.setInterval(this.intervalMenu.value) },
      ...INTERVALS.map((name) => el("option", { value: name }, name)),
    );
    this.viewTabs = tabs(
      strings.view,
      ...Object.entries(strings.views).map(([name, text]) => tab(name, text, (chosen) => this.setView(chosen))),
    );
    this.legend = el("p", { className: "legend", "aria-hidden": "true" });
    this.canvas = el("div", { className: "canvas", role: "img", "aria-label": strings.title });
    this.skeleton = el("div", { className: "skeleton", "aria-hidden": "true" });
    this.note = el("div", { className: "empty", hidden: true });
    this.depth = new DepthChart(this.pair);
    this.depth.node.hidden = true;
    this.tableView = this.buildTable();
    root.replaceChildren(
      el(
        "header",
        {},
        el("h2", { id: "chart-title", className: "visually-hidden" }, strings.title),
        this.intervalTabs,
        this.intervalMenu,
        el("span", { className: "spacer" }),
        this.viewTabs,
      ),
      el(
        "div",
        { className: "plot" },
        this.legend, this.skeleton, this.canvas, this.depth.node, this.tableView, this.note,
      ),
    );
    this.markTabs();
  }

  buildTable() {
    const caption = strings.caption(this.pair);
    const columns = strings.columns(this.pair).map((text, at) => ({ text, num: at > 0 }));
    const { node, body } = table(caption, columns, "dense");
    this.rows = new KeyedRows(body, (candle) => candle.ts, () => tableRow(columns), (row, candle) => this.fillRow(row, candle));
    return el("div", { className: "scroll", hidden: true, tabindex: "0", role: "group", "aria-label": caption }, node);
  }

  /** Load the candles and the chart library. Resolves when the library has loaded, or failed to. */
  async start() {
    this.load();
    try {
      const [library, { CandleChart }] = await Promise.all([
        import("../../vendor/lightweight-charts.js"),
        import("./candle-chart.js"),
      ]);
      this.chart = new CandleChart(library, this.canvas, this.pair, {
        onCrosshair: (time) => this.showLegend(time),
        onStart: () => this.loadOlder(),
      });
      document.documentElement.addEventListener("themechange", () => {
        this.chart.applyTheme();
        this.depth.render();
      });
      if (this.candles.times) this.showAll(true);
    } catch {
      this.setView("table"); // the library did not load, or this browser lacks what it needs
    }
  }

  setInterval(interval) {
    this.interval = interval;
    storeInterval(interval);
    this.onInterval(interval);
    this.load();
    if (this.view === "depth") this.setView("candles");
    this.markTabs();
  }

  setView(view) {
    this.view = view;
    this.canvas.hidden = view !== "candles";
    this.legend.hidden = view !== "candles";
    this.depth.node.hidden = view !== "depth";
    this.tableView.hidden = view !== "table";
    if (view === "table") this.showTable();
    this.markTabs();
  }

  markTabs() {
    this.intervalMenu.value = this.interval;
    for (const [tabs, chosen] of [[this.intervalTabs, this.interval], [this.viewTabs, this.view]]) {
      for (const tab of tabs.children) tab.setAttribute("aria-selected", String(tab.dataset.name === chosen));
    }
  }

  // -- candles --

  /** Load the newest candles of the interval. */
  async load() {
    this.candles?.close();
    const candles = new Candles(this.pair, this.interval, this.block, (isReplaced) => this.showAll(isReplaced));
    this.candles = candles;
    this.showNote(null);
    try {
      await candles.load();
      if (candles === this.candles) this.showAll(true);
    } catch (error) {
      if (!(error instanceof ApiError) || candles !== this.candles) throw error;
      this.showNote(errorNote(strings.failed, () => this.load()));
    }
  }

  async loadOlder() {
    const { candles } = this;
    if ((await candles.loadOlder()) && candles === this.candles) this.showAll(false);
  }

  /**
   * Apply the newest candle of a snapshot or change of the stream.
   * @param {"snapshot"|"change"} kind
   * @param {number} block
   * @param {{interval: string, candle: any}} newest `candle` is null before the pair's first trade
   */
  apply(kind, block, { interval, candle }) {
    this.block = block;
    if (interval !== this.interval) return;
    if (!this.candles.apply(kind, block, candle)) this.load();
    const { times, byTime } = this.candles;
    if (!candle || !times) return;
    const newest = times.at(-1);
    if (times.length === 1) this.showAll(true);
    else if (Date.parse(candle.ts) / 1000 === newest) {
      this.chart?.update(newest, byTime.get(newest));
      this.showSummary();
    }
    if (this.view === "table") this.showTable();
  }

  // -- display --

  showAll(fit) {
    const { times, byTime } = this.candles;
    this.showNote(times.length ? "" : strings.none);
    this.chart?.setCandles(times.map((time) => [time, byTime.get(time)]), isOfDays(this.interval));
    if (fit) this.chart?.fit();
    this.showSummary();
    if (this.view === "table") this.showTable();
  }

  // The chart in one sentence, for screen readers.
  showSummary() {
    const recent = this.newest(SUMMARY_CANDLES);
    if (!recent.length) return;
    const ticks = (text) => units(text, this.pair.priceDecimals);
    const highest = recent.map(({ high }) => high).reduce((a, b) => (ticks(b) > ticks(a) ? b : a));
    const lowest = recent.map(({ low }) => low).reduce((a, b) => (ticks(b) < ticks(a) ? b : a));
    const summary = strings.summary({
      pair: `${this.pair.base}/${this.pair.quote}`,
      interval: this.interval,
      count: recent.length,
      last: grouped(recent.at(-1).close),
      high: grouped(highest),
      low: grouped(lowest),
    });
    this.canvas.setAttribute("aria-label", summary);
    this.showLegend();
  }

  showLegend(time = this.candles.times?.at(-1)) {
    const candle = this.candles.byTime.get(time);
    if (!candle) return;
    const values = [
      ["O", grouped(candle.open)],
      ["H", grouped(candle.high)],
      ["L", grouped(candle.low)],
      ["C", grouped(candle.close)],
      [strings.volume, compact(candle.volume)],
    ];
    this.legend.replaceChildren(...values.map(([name, value]) => el("span", {}, `${name} `, el("b", {}, value))));
  }

  showTable() {
    if (this.candles.times) this.rows.show(this.newest(TABLE_ROWS).reverse());
  }

  // The newest candles, oldest first.
  newest(most) {
    return this.candles.times.slice(-most).map((time) => this.candles.byTime.get(time));
  }

  fillRow(row, candle) {
    const cells = row.children;
    if (isOfDays(this.interval)) setText(cells[0], utcDay(candle.ts));
    else setTime(cells[0], candle.ts);
    ["open", "high", "low", "close"].forEach((name, at) => setText(cells[at + 1], grouped(candle[name])));
    setText(cells[5], fixed(candle.volume, Math.max(0, this.pair.quantityDecimals)));
  }

  /** @param {string|Node|null} content null while loading, "" for none */
  showNote(content) {
    this.skeleton.hidden = content !== null;
    this.note.hidden = !content;
    this.note.replaceChildren(content ?? "");
  }

  /** @param {import("../data/order-book.js").OrderBook} book */
  showBook(book) {
    this.depth.show(book);
  }

  /** @param {any[]} orders rows of /api/orders of this pair: the trader's open ones and waiting stops */
  showOrders(orders) {
    this.chart?.showOrders(orders);
  }
}
