// Tables of deposits and withdrawals, for the Portfolio and Transfer screens.

import { config } from "../../config.js";
import { grouped, trimmed } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { hourMinute, NONE, setAmount, setTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { transferTables as strings } from "../strings/account.js";

const TRANSACTION = /^[0-9a-f]{40}/;
const column = (name, narrow, more = {}) => ({ text: strings.columns[name], narrow, ...more });

// A link to the transaction, after a text; an id that contains none is shown as text.
function setTransaction(cell, id, text = "") {
  const key = `${text} ${id}`;
  if (cell.dataset.key === key) return;
  cell.dataset.key = key;
  const transaction = TRANSACTION.exec(id ?? "")?.[0];
  const before = text && id ? `${text} ` : text;
  if (!transaction || !config.explorer) {
    cell.replaceChildren(before, id ?? (text ? "" : NONE));
    return;
  }
  const hash = el("span", { className: "hash" }, transaction.slice(0, 8));
  const link = el("a", { href: config.explorer + transaction, rel: "noopener", target: "_blank" }, hash);
  cell.replaceChildren(before, link);
}

/** @returns {import("../lib/table.js").DataTable} */
export function depositsTable() {
  const columns = [
    column("time", "left"),
    column("token", "right"),
    column("amount", "left", { num: true }),
    column("status", "right"),
    column("transaction", "whole", { label: true }),
  ];
  return dataTable(strings.depositsCaption, columns, strings.noDeposits, (row) => row.id, (cells, row) => {
    setTime(cells[0], row.ts);
    setText(cells[1], row.symbol);
    if (/^\d+(\.\d+)?$/.test(row.amount)) setAmount(cells[2], row.amount);
    else setText(cells[2], row.amount); // a refund shows the text of the transfer, which can be anything
    setTransaction(cells[3], row.paid_by, strings.deposit[row.status] ?? row.status); // only a refund is paid
    cells[3].className = row.status === "refund_due" ? "bad" : "";
    setTransaction(cells[4], row.id);
  });
}

/**
 * @param {((withdrawal: any) => void)|null} [cancel] null in a read-only view
 * @returns {import("../lib/table.js").DataTable}
 */
export function withdrawalsTable(cancel = null) {
  const columns = [
    column("time", "left"),
    column("token", "right"),
    column("amount", "left", { num: true }),
    column("to", "right"),
    column("status", "whole"),
    column("transaction", "left", { label: true }),
    column("paid", "right", { label: true }),
    ...(cancel ? [column("actions", "whole", { num: true, hiddenHead: true })] : []),
  ];
  return dataTable(strings.withdrawalsCaption, columns, strings.noWithdrawals, (row) => row.id, (cells, row) => {
    setTime(cells[0], row.ts);
    setText(cells[1], row.symbol);
    setAmount(cells[2], row.amount);
    setText(cells[3], `@${row.to}`);
    setText(cells[4], statusOf(row));
    cells[4].title = row.payout?.reason ?? "";
    setTransaction(cells[5], row.id);
    setTransaction(cells[6], row.paid_by);
    if (!cancel) return;
    const isCancellable = row.status === "pending" && !row.returning;
    if (isCancellable === Boolean(cells[7].firstChild)) return;
    const label = strings.cancelOf(`${trimmed(grouped(row.amount))} ${row.symbol}`);
    const attributes = { className: "plain", "aria-label": label };
    cells[7].replaceChildren(...(isCancellable ? [button(strings.cancel, () => cancel(row), attributes)] : []));
  });
}

function statusOf({ status, payout, returning, return_due: due }) {
  if (returning) return strings.returning(hourMinute(Date.parse(due)));
  if (status !== "pending" || !payout) return strings.withdrawal[status] ?? status;
  if (payout.state === "signed") return strings.signed(payout.signatures, payout.needed);
  return strings.payout[payout.state] ?? payout.state;
}
