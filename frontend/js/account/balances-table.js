// Table of balances, for the Trade and Portfolio screens.

import { el, setText } from "../lib/dom.js";
import { setAmount } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { balancesTable as strings } from "../strings/account.js";

const numberColumn = (name, narrow) => ({ text: strings.columns[name], num: true, narrow, label: true });

const isZero = (decimal) => !/[1-9]/.test(decimal);

/**
 * @param {boolean} isOwn whether to offer deposits and withdrawals
 * @returns {import("../lib/table.js").DataTable}
 */
export function balancesTable(isOwn) {
  const columns = [
    { text: strings.columns.token, narrow: "left" },
    numberColumn("available", "right"),
    numberColumn("locked", "whole"),
    numberColumn("withdrawing", "whole"),
    numberColumn("sum", "whole"),
    ...(isOwn ? [{ text: strings.columns.actions, num: true, hiddenHead: true, narrow: "whole", className: "actions" }] : []),
  ];
  const empty = el("span", {}, strings.none, " ", isOwn && el("a", { href: "transfer.html" }, strings.firstDeposit));
  return dataTable(strings.caption, columns, empty, (balance) => balance.symbol, (cells, balance) => {
    const { symbol } = balance;
    setText(cells[0], symbol);
    cells[0].className = "name";
    ["available", "locked", "withdrawing", "total"].forEach((name, at) => setAmount(cells[at + 1], balance[name]));
    // A card shows what differs from the available balance only.
    cells[2].classList.toggle("needless", isZero(balance.locked));
    cells[3].classList.toggle("needless", isZero(balance.withdrawing));
    cells[4].classList.toggle("needless", balance.total === balance.available);
    if (!isOwn || cells[5].firstChild) return;
    const link = (direction, text, label) => {
      const href = `transfer.html?${new URLSearchParams({ do: direction, symbol })}`;
      return el("a", { className: "plain", href, "aria-label": label }, text);
    };
    cells[5].append(
      link("deposit", strings.deposit, strings.depositOf(symbol)),
      link("withdraw", strings.withdraw, strings.withdrawOf(symbol)),
    );
  });
}
