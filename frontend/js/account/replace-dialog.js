// Dialog that replaces an open order by one with another price or amount, with one signature.

import { account } from "../data/session.js";
import { market, parse, trimmed } from "../lib/amounts.js";
import { el } from "../lib/dom.js";
import { field, NUMERIC, openFormDialog } from "../lib/widgets.js";
import { replaceDialog as strings } from "../strings/account.js";
import { IntentError } from "../wallet/intent-checks.js";
import { replace } from "../wallet/intents.js";
import { review } from "../wallet/review-dialog.js";

/**
 * @param {any} venue
 * @param {any} order a row of /api/orders
 */
export function openReplaceDialog(venue, order) {
  const pair = market(venue, order.base, order.quote);
  const price = field("replace-price", strings.price(order.quote), { ...NUMERIC, value: order.price });
  const amount = field("replace-amount", strings.amount(order.base), { ...NUMERIC, value: trimmed(order.remaining) });
  const note = el("p", { className: "hint bad", role: "alert" });

  function submit(event) {
    event.preventDefault();
    const ticks = changedUnits(price.input, order.price, pair.priceDecimals);
    const lots = changedUnits(amount.input, order.remaining, pair.quantityDecimals);
    note.textContent = ticks.problem ?? lots.problem ?? "";
    if (note.textContent) return;
    try {
      const draft = replace(venue, account(), order, { ticks: ticks.units, lots: lots.units });
      dialog.close();
      review(draft, { side: order.side });
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      note.textContent = error.message;
    }
  }

  const dialog = openFormDialog("replace", strings.title, {
    onsubmit: submit,
    body: [el("p", { className: "muted" }, strings.hint), price.node, amount.node, note],
    footer: [el("button", { type: "submit", className: "button main" }, strings.review)],
  });
  price.input.select();
}

// `units` is undefined if the value did not change.
function changedUnits(input, before, decimals) {
  const { units, problem, empty } = parse(input.value, decimals);
  if (empty) return { problem: strings.empty };
  if (problem) return { problem };
  return parse(before, decimals).units === units ? {} : { units };
}
