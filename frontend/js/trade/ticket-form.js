// Form of the order ticket: its fields, buttons and options, without behaviour.

import { StopFields } from "../account/stop-fields.js";
import { button, el } from "../lib/dom.js";
import { field, NUMERIC } from "../lib/widgets.js";
import { sides } from "../strings/common.js";
import { estimate as estimateStrings, ticket as strings } from "../strings/ticket.js";
import { ORDER_TYPES } from "./order-types.js";

const LIFETIMES = [3600, 86_400, 604_800]; // seconds
const SHARES = [25, 50, 75, 100]; // percent

/**
 * Build the form.
 * @param {HTMLElement} root an empty panel
 * @param {import("../lib/amounts.js").Market} pair
 * @param {number} maxLifetime of an order in seconds
 * @param {{onSide: (side: "buy"|"sell") => void, onType: (type: import("./order-types.js").OrderType) => void,
 *   onInput: (name: "price"|"amount"|"total"|"slippage"|"trigger") => void, onOption: () => void,
 *   onShare: (percent: number) => void, onQuickPrice: (name: "bid"|"mid"|"ask") => void,
 *   onSubmit: (event: Event) => void}} handlers
 */
export function buildTicketForm(root, pair, maxLifetime, handlers) {
  const input = (name, label, unit, beside) => {
    const attributes = { ...NUMERIC, oninput: () => handlers.onInput(name) };
    return field(`ticket-${name}`, label, attributes, { unit, beside });
  };
  const toggle = (className, text, onclick) => button(text, onclick, { className, "aria-pressed": "false" });
  const form = {
    sides: {
      buy: toggle("isbuy", sides.buy, () => handlers.onSide("buy")),
      sell: toggle("issell", sides.sell, () => handlers.onSide("sell")),
    },
    types: {
      limit: toggle("", strings.types.limit, () => handlers.onType("limit")),
      market: toggle("", strings.types.market, () => handlers.onType("market")),
      stop: stopTypes(handlers.onType),
    },
    mark: el("span", { title: strings.markTitle }),
    becomes: el("p", { className: "note", hidden: true }),
    price: input("price", strings.price, pair.quote, quickPrices(handlers.onQuickPrice)),
    capped: el("span", { "aria-live": "polite" }),
    total: input("total", strings.total, pair.quote),
    slippage: input("slippage", strings.slippage.market, "%"),
    worstPrice: el("span", {}),
    balanceLabel: el("span", {}),
    balance: button("", () => handlers.onShare(100)),
    deposit: el("a", { href: "transfer.html" }, strings.deposit),
    shares: shareButtons(handlers.onShare),
    options: buildOptions(pair, maxLifetime, handlers.onOption),
    estimate: el("dl", { className: "estimate", "aria-label": estimateStrings.title }),
    submit: el("button", { type: "submit", className: "button main wide" }),
    note: el("p", { className: "note", "aria-live": "polite" }),
  };
  form.trigger = input("trigger", strings.trigger, pair.quote, form.mark);
  form.amount = input("amount", strings.amount, pair.base, form.capped);
  form.trigger.node.append(form.becomes);
  form.slippage.labelRow.append(form.worstPrice);
  for (const name of ["price", "total", "slippage"]) form[`${name}Label`] = form[name].labelRow.querySelector("label");
  const title = el("h2", { id: "ticket-title", className: "visually-hidden" }, strings.title);
  root.replaceChildren(title, layOut(form, handlers.onSubmit));
  return form;
}

function layOut(form, onsubmit) {
  const group = (className, label, controls) =>
    el("div", { className, role: "group", "aria-label": label }, ...Object.values(controls));
  const available = el("span", {}, form.balance, " ", form.deposit);
  return el(
    "form",
    { className: "form", novalidate: true, autocomplete: "off", onsubmit },
    group("sides", strings.side, form.sides),
    group("segments", strings.type, form.types),
    el("p", { className: "label-row" }, form.balanceLabel, available),
    form.trigger.node,
    form.price.node,
    form.amount.node,
    form.shares,
    form.total.node,
    form.slippage.node,
    form.options.node,
    form.estimate,
    el("div", { className: "submit-row" }, form.submit, form.note),
  );
}

// The third segment is a menu of the stops. It shows the chosen one.
function stopTypes(onType) {
  const onchange = (event) => onType(event.target.value);
  const stops = Object.entries(ORDER_TYPES).filter(([, kind]) => kind.isStop);
  return el(
    "select",
    { id: "ticket-stop-type", "aria-label": strings.stopTypes, onchange },
    el("option", { value: "", hidden: true }, strings.stop),
    ...stops.map(([type]) => el("option", { value: type }, strings.types[type])),
  );
}

function quickPrices(onQuickPrice) {
  const quick = (name) => button(strings[name], () => onQuickPrice(name), { title: strings[`${name}Title`] });
  return el("span", { className: "quick" }, quick("bid"), " ", quick("mid"), " ", quick("ask"));
}

function shareButtons(onShare) {
  const share = (percent) => button(percent === 100 ? strings.max : `${percent} %`, () => onShare(percent));
  return el("div", { className: "chips", role: "group", "aria-label": strings.shares }, ...SHARES.map(share));
}

function buildOptions(pair, maxLifetime, onchange) {
  const option = (value, text) => el("option", { value }, text);
  const labelled = (id, label, node) => el("div", { className: "field" }, el("label", { htmlFor: id }, label), node);
  const timeInForce = el(
    "select",
    { id: "ticket-force", onchange },
    ...Object.entries(strings.timesInForce).map(([value, text]) => option(value, text)),
  );
  const lifetime = el(
    "select",
    { id: "ticket-life", onchange },
    ...LIFETIMES.filter((seconds) => seconds < maxLifetime).map((seconds) => option(String(seconds), strings.lifetime(seconds))),
    option("", strings.lifetime(maxLifetime)),
  );
  lifetime.value = "";
  const checkbox = (name, more = {}) => el("input", { type: "checkbox", id: `ticket-${name}`, onchange, ...more });
  const checked = (box, ...label) => el("div", { className: "check" }, box, el("span", {}, ...label));
  const label = (box, text) => el("label", { htmlFor: box.id }, text);
  const [postOnly, protect] = [checkbox("post"), checkbox("protect")];
  const wallet = checkbox("wallet", { "aria-describedby": "ticket-wallet-hint" });
  const protectLabel = label(protect, "");
  const stopFields = new StopFields("ticket", pair, onchange);
  const parts = {
    force: labelled("ticket-force", strings.timeInForce, timeInForce),
    life: labelled("ticket-life", strings.expires, lifetime),
    postOnlyRow: checked(postOnly, label(postOnly, strings.postOnly)),
    protectRow: checked(protect, protectLabel),
    walletHint: el("span", { className: "note", id: "ticket-wallet-hint" }),
  };
  parts.checks = el("div", { className: "check-row" }, parts.postOnlyRow, parts.protectRow);
  parts.walletRow = checked(wallet, label(wallet, strings.wallet), " ", parts.walletHint);
  const node = el(
    "details",
    { className: "options" },
    el("summary", {}, strings.options),
    el(
      "div",
      { className: "inner" },
      el("div", { className: "option-row" }, parts.force, parts.life),
      parts.checks,
      stopFields.node,
      parts.walletRow,
    ),
  );
  return { ...parts, node, timeInForce, lifetime, postOnly, protect, protectLabel, stopFields, wallet };
}
