// Tables whose rows stay the same elements while their data changes.

import { arrange, make } from "./dom.js";

/**
 * Rows by key: built once, brought up to date each time, in the order of the items.
 * @template T
 */
export class Rows {
  /**
   * @param {HTMLElement} body
   * @param {(item: T) => string} key
   * @param {(item: T) => HTMLElement} build
   * @param {(row: HTMLElement, item: T) => void} update
   */
  constructor(body, key, build, update) {
    Object.assign(this, { body, key, build, update, known: new Map() });
  }

  /** @param {T[]} items */
  show(items) {
    const next = new Map();
    for (const item of items) {
      const key = this.key(item);
      const row = this.known.get(key) ?? this.build(item);
      this.update(row, item);
      next.set(key, row);
    }
    this.known = next;
    arrange(this.body, [...next.values()]);
  }
}

/**
 * @typedef {{text: string, num?: boolean, unseen?: boolean, narrow?: "left"|"right"|"whole"|"none", label?: boolean}} Column
 * `unseen`: its head is for screen readers only. `narrow`: where it stands in a card (see `table`), `label` whether
 * its head's text stands before it there.
 */

/**
 * A table with a caption for screen readers. On narrow screens a `cards` table shows its rows as cards of two
 * columns; the roles keep it a table for screen readers then.
 * @param {string} caption
 * @param {Column[]} columns
 * @param {string} className
 */
export function table(caption, columns, className = "") {
  const cells = columns.map(({ text, num, unseen, narrow = "left" }) =>
    make(
      "th",
      { scope: "col", role: "columnheader", className: num ? "num" : "", dataset: { narrow } },
      unseen ? make("span", { className: "unseen" }, text) : text,
    ),
  );
  const body = make("tbody", { role: "rowgroup" });
  const node = make(
    "table",
    { className, role: "table" },
    make("caption", { className: "unseen" }, caption),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...cells)),
    body,
  );
  return { node, body };
}

/**
 * A row of cells for `table`.
 * @param {Column[]} columns
 */
export function row(columns) {
  return make(
    "tr",
    { role: "row" },
    ...columns.map(({ text, num, narrow = "left", label }) =>
      make("td", { role: "cell", className: num ? "num" : "", dataset: { narrow, ...(label ? { label: text } : {}) } }),
    ),
  );
}
