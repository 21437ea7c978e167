// Tables whose row elements persist while their data changes; on narrow screens their rows become cards.

import { tables as strings } from "../strings/common.js";
import { button, el, setChildren, setText } from "./dom.js";

const SKELETON_ROWS = 3;
const FIRST_CARDS = 10; // on narrow screens; as in site.css

/**
 * Keyed list of rows: a row is built once for each key, then updated in place.
 * @template T
 */
export class KeyedRows {
  /**
   * @param {HTMLElement} body
   * @param {(item: T) => string} key
   * @param {(item: T) => HTMLElement} build
   * @param {(row: HTMLElement, item: T) => void} update
   */
  constructor(body, key, build, update) {
    Object.assign(this, { body, key, build, update, rows: new Map() });
  }

  /** Show these items in their order. @param {T[]} items */
  show(items) {
    const rows = new Map();
    for (const item of items) {
      const key = this.key(item);
      const row = this.rows.get(key) ?? this.build(item);
      this.update(row, item);
      rows.set(key, row);
    }
    this.rows = rows;
    setChildren(this.body, [...rows.values()]);
  }
}

/**
 * @typedef {{text: string, num?: boolean, hiddenHead?: boolean, narrow?: "left"|"right"|"whole"|"none", label?: boolean,
 *   className?: string}} Column
 * `hiddenHead`: its heading is for screen readers only. `narrow`: its place in a card on narrow screens. `label`:
 * whether the heading stands before the value there.
 */

/**
 * An empty table with a caption for screen readers. With the class `cards` its rows are cards of two columns on
 * narrow screens; the ARIA roles keep it a table then.
 * @param {string} caption
 * @param {Column[]} columns
 * @param {string} className
 */
export function table(caption, columns, className = "") {
  const heads = columns.map((column) => {
    const { text, hiddenHead, narrow = "left" } = column;
    return el(
      "th",
      { scope: "col", role: "columnheader", className: classOf(column), dataset: { narrow } },
      hiddenHead ? el("span", { className: "visually-hidden" }, text) : text,
    );
  });
  const body = el("tbody", { role: "rowgroup" });
  const node = el(
    "table",
    { className, role: "table" },
    el("caption", { className: "visually-hidden" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)),
    body,
  );
  return { node, body };
}

/**
 * An empty row of `table`.
 * @param {Column[]} columns
 */
export function tableRow(columns) {
  const cells = columns.map((column) => {
    const { text, narrow = "left", label } = column;
    return el("td", { role: "cell", className: classOf(column), dataset: { narrow, ...(label ? { label: text } : {}) } });
  });
  return el("tr", { role: "row" }, ...cells);
}

const classOf = ({ num, className = "" }) => `${num ? "num " : ""}${className}`.trim();

/**
 * Placeholder rows for data that is loading.
 * @param {number} rows
 * @param {number} columns
 * @returns {HTMLElement[]}
 */
export function skeletonRows(rows, columns) {
  const cell = () => el("td", {}, el("span", { className: "skeleton-bar" }));
  return Array.from({ length: rows }, () =>
    el("tr", { className: "skeleton-row", "aria-hidden": "true" }, ...Array.from({ length: columns }, cell)));
}

/**
 * A table with its loading and empty states. `show(null)` shows the loading state.
 * @typedef {{node: HTMLElement, show: (items: any[]|null) => void}} DataTable
 */

/**
 * @param {string} caption
 * @param {Column[]} columns
 * @param {string|HTMLElement} empty shown where there are no items
 * @param {(item: any) => string} key
 * @param {(cells: HTMLElement[], item: any, row: HTMLElement) => void} fill
 * @returns {DataTable}
 */
export function dataTable(caption, columns, empty, key, fill) {
  const { node, body } = table(caption, columns, "cards dense");
  const rows = new KeyedRows(body, key, () => tableRow(columns), (row, item) => fill([...row.children], item, row));
  const note = el("div", { className: "empty", hidden: true }, empty);
  const skeleton = skeletonRows(SKELETON_ROWS, columns.length);
  const showAll = () => {
    node.classList.add("all");
    more.hidden = true;
  };
  const more = button("", showAll, { className: "plain show-all", hidden: true });
  body.append(...skeleton);
  return {
    node: el("div", { className: "scroll", tabindex: "0", role: "group", "aria-label": caption }, node, note, more),
    show(items) {
      rows.show(items ?? []);
      more.hidden = node.classList.contains("all") || !(items?.length > FIRST_CARDS);
      setText(more, strings.showAll(items?.length ?? 0));
      if (items === null) body.append(...skeleton);
      note.hidden = items === null || items.length > 0;
      node.hidden = items !== null && items.length === 0;
    },
  };
}
