// Tables of money in and out, as the Portfolio and the Transfer screen show them.

import { config } from "./config.js";
import { make, write } from "./dom.js";
import { writeAmount } from "./figures.js";
import { view } from "./ordertables.js";
import { transferTables as words } from "./strings.js";
import { dayAndTime, inFull } from "./when.js";

const TRANSACTION = /^[0-9a-f]{40}/;
const col = (name, narrow, more = {}) => ({ text: words.columns[name], narrow, ...more });

// The transaction in which it happened; a text where the id names none.
function receipt(cell, id) {
  if (cell.dataset.id === (id ?? "")) return;
  cell.dataset.id = id ?? "";
  const transaction = TRANSACTION.exec(id ?? "")?.[0];
  cell.replaceChildren(
    transaction && config.explorer
      ? make(
          "a",
          { href: config.explorer + transaction, rel: "noopener", target: "_blank" },
          make("span", { className: "hash" }, transaction.slice(0, 8)),
        )
      : (id ?? "–"),
  );
}

function when(cell, ts) {
  write(cell, dayAndTime(ts));
  cell.title = inFull(ts);
}

/** What came in. @returns {import("./ordertables.js").View} */
export function deposits() {
  const columns = [
    col("time", "left"),
    col("token", "right"),
    col("amount", "left", { num: true }),
    col("status", "right"),
    col("transaction", "left", { label: true }),
    col("paid", "right", { label: true }),
  ];
  return view(
    words.depositsCaption,
    columns,
    words.noDeposits,
    (row) => row.id,
    (cells, row) => {
      when(cells[0], row.ts);
      write(cells[1], row.symbol);
      if (/^\d+(\.\d+)?$/.test(row.amount)) writeAmount(cells[2], row.amount);
      else write(cells[2], row.amount); // a refund's literal text may be anything
      write(cells[3], words.deposit[row.status] ?? row.status);
      cells[3].className = row.status === "refund_due" ? "bad" : "";
      receipt(cells[4], row.id);
      receipt(cells[5], row.paid_by);
    },
  );
}

/** What goes out. @returns {import("./ordertables.js").View} */
export function withdrawals() {
  const columns = [
    col("time", "left"),
    col("token", "right"),
    col("amount", "left", { num: true }),
    col("to", "right"),
    col("status", "whole"),
    col("transaction", "left", { label: true }),
    col("paid", "right", { label: true }),
  ];
  return view(
    words.withdrawalsCaption,
    columns,
    words.noWithdrawals,
    (row) => row.id,
    (cells, row) => {
      when(cells[0], row.ts);
      write(cells[1], row.symbol);
      writeAmount(cells[2], row.amount);
      write(cells[3], `@${row.to}`);
      write(cells[4], statusOf(row));
      cells[4].title = row.payout?.reason ?? "";
      receipt(cells[5], row.id);
      receipt(cells[6], row.paid_by);
    },
  );
}

function statusOf({ status, payout }) {
  if (status !== "pending" || !payout) return words.withdrawal[status] ?? status;
  if (payout.state === "signed") return words.signed(payout.signatures, payout.needed);
  return words.payout[payout.state] ?? payout.state;
}
