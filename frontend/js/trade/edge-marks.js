// Marks at the top and bottom edge of the chart for the trader's orders whose prices are outside of it. A primitive of
// Lightweight Charts, which draws it whenever the price scale moves.

import { orderLines as strings } from "../strings/workspace.js";

const INSET = 8;
const PADDING = 4;
const LINE_HEIGHT = 16;

export class EdgeMarks {
  /**
   * @param {(line: import("./order-lines.js").Line) => {price: number, text: string}} place price in the chart, and as text
   * @param {() => {buy: string, sell: string, muted: string, surface: string, font: string}} style
   */
  constructor(place, style) {
    this.place = place;
    this.style = style;
    /** @type {import("./order-lines.js").Line[]} */
    this.lines = [];
    this.views = [{ zOrder: () => "top", renderer: () => this }];
  }

  /** @param {{series: any, requestUpdate: () => void}} chart */
  attached({ series, requestUpdate }) {
    this.series = series;
    this.requestUpdate = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  /** @param {import("./order-lines.js").Line[]} lines */
  show(lines) {
    this.lines = lines;
    this.requestUpdate();
  }

  draw(target) {
    target.useMediaCoordinateSpace(({ context, mediaSize: { width, height } }) => {
      const y = (line) => this.series.priceToCoordinate(this.place(line).price);
      this.mark(context, "above", this.lines.filter((line) => y(line) < 0), width - INSET, INSET);
      this.mark(context, "below", this.lines.filter((line) => y(line) > height), width - INSET, height - INSET - LINE_HEIGHT);
    });
  }

  mark(context, where, lines, right, top) {
    if (!lines.length) return;
    const { muted, surface, font, ...colors } = this.style();
    const [{ side, kind, text }] = lines;
    const shown = strings.outside(where, lines.length, strings.priced(kind, text, this.place(lines[0]).text));
    context.font = font;
    const width = context.measureText(shown).width + 2 * PADDING;
    context.fillStyle = surface;
    context.fillRect(right - width, top, width, LINE_HEIGHT);
    context.fillStyle = lines.every((line) => line.side === side) ? colors[side] : muted;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(shown, right - width + PADDING, top + LINE_HEIGHT / 2);
  }
}
