// Changing an open order: another price, another amount, in one step that needs one signature.

import { market, parse } from "./amounts.js";
import { make } from "./dom.js";
import { IntentError, replace } from "./intents.js";
import { review } from "./review.js";
import { replaceForm as words } from "./strings.js";

/**
 * Ask for the new values, then review.
 * @param {any} venue
 * @param {string} account
 * @param {any} order a row of /api/orders
 */
export function askReplace(venue, account, order) {
  const pair = market(venue, order.base, order.quote);
  const price = field("price", words.price(order.quote), order.price);
  const amount = field("amount", words.amount(order.base), order.remaining);
  const note = make("p", { className: "hint bad", role: "alert" });
  const dialog = make("dialog", { "aria-labelledby": "replace-title" });

  function submit(event) {
    event.preventDefault();
    const ticks = changed(price.input, order.price, pair.priceDecimals);
    const lots = changed(amount.input, order.remaining, pair.quantityDecimals);
    note.textContent = ticks.problem ?? lots.problem ?? "";
    if (note.textContent) return;
    try {
      const draft = replace(venue, account, order, { ticks: ticks.units, lots: lots.units });
      dialog.close();
      review(draft, { side: order.side });
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      note.textContent = error.message;
    }
  }

  dialog.append(
    make(
      "header",
      {},
      make("h2", { id: "replace-title" }, words.title),
      make(
        "button",
        { type: "button", className: "icon", "aria-label": words.close, onclick: () => dialog.close() },
        "×",
      ),
    ),
    make(
      "form",
      { onsubmit: submit, novalidate: true },
      make("div", { className: "body" }, make("p", { className: "muted" }, words.hint), price.node, amount.node, note),
      make("footer", {}, make("button", { type: "submit", className: "button main" }, words.review)),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  price.input.select();
}

function field(name, label, value) {
  const id = `replace-${name}`;
  const input = make("input", { id, className: "number", inputmode: "decimal", value });
  return {
    input,
    node: make(
      "div",
      { className: "field" },
      make("label", { htmlFor: id }, label),
      make("div", { className: "input" }, input),
    ),
  };
}

// Nothing where the value stayed as it was.
function changed(input, before, decimals) {
  const { units, problem, empty } = parse(input.value, decimals);
  if (empty) return { problem: words.empty };
  if (problem) return { problem };
  return parse(before, decimals).units === units ? {} : { units };
}
