// Form of the order ticket: its fields, buttons and options, without behaviour.

import { button, el } from "../lib/dom.js";
import { field, NUMERIC } from "../lib/widgets.js";
import { sides } from "../strings/common.js";
import { ticket as strings } from "../strings/trade.js";

const LIFETIMES = [3600, 86_400, 604_800]; // seconds
const SHARES = [25, 50, 75, 100]; // percent
const DEFAULT_SLIPPAGE = "1"; // percent

/**
 * Build the form.
 * @param {HTMLElement} root an empty panel
 * @param {import("../lib/amounts.js").Market} pair
 * @param {number} maxLifetime of an order in seconds
 * @param {{onSide: (side: "buy"|"sell") => void, onType: (type: "limit"|"market") => void,
 *   onInput: (name: "price"|"amount"|"total"|"slippage") => void, onOption: () => void, onShare: (percent: number) => void,
 *   onQuickPrice: (name: "bid"|"mid"|"ask") => void, onSubmit: (event: Event) => void}} handlers
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
      limit: toggle("", strings.limit, () => handlers.onType("limit")),
      market: toggle("", strings.market, () => handlers.onType("market")),
    },
    price: input("price", strings.price, pair.quote, quickPrices(handlers.onQuickPrice)),
    amount: input("amount", strings.amount, pair.base),
    total: input("total", strings.total, pair.quote),
    slippage: input("slippage", strings.slippage, "%"),
    worstPrice: el("span", {}),
    balance: el("span"),
    deposit: el("a", { href: "transfer.html" }, strings.deposit),
    shares: shareButtons(handlers.onShare),
    options: buildOptions(maxLifetime, handlers.onOption),
    estimate: el("dl", { className: "estimate", "aria-label": strings.estimate }),
    submit: el("button", { type: "submit", className: "button main wide" }),
    note: el("p", { className: "note", "aria-live": "polite" }),
  };
  form.slippage.input.value = DEFAULT_SLIPPAGE;
  form.slippage.labelRow.append(form.worstPrice);
  form.totalLabel = form.total.labelRow.querySelector("label");
  const title = el("h2", { id: "ticket-title", className: "visually-hidden" }, strings.title);
  root.replaceChildren(title, layOut(form, handlers.onSubmit));
  return form;
}

function layOut(form, onsubmit) {
  const group = (className, label, buttons) =>
    el("div", { className, role: "group", "aria-label": label }, ...Object.values(buttons));
  const available = el("span", {}, form.balance, " ", form.deposit);
  return el(
    "form",
    { className: "form", novalidate: true, autocomplete: "off", onsubmit },
    group("sides", strings.side, form.sides),
    group("segments", strings.type, form.types),
    el("p", { className: "label-row" }, el("span", {}, strings.available), available),
    form.price.node,
    form.amount.node,
    form.shares,
    form.total.node,
    form.slippage.node,
    form.options.node,
    form.estimate,
    form.submit,
    form.note,
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

function buildOptions(maxLifetime, onchange) {
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
  const postOnly = el("input", { type: "checkbox", id: "ticket-post", onchange });
  const wallet = el("input", { type: "checkbox", id: "ticket-wallet", onchange, "aria-describedby": "ticket-wallet-hint" });
  const walletHint = el("span", { className: "note", id: "ticket-wallet-hint" });
  const limitOnly = el(
    "div",
    { className: "inner" },
    el(
      "div",
      { className: "option-row" },
      labelled("ticket-force", strings.timeInForce, timeInForce),
      labelled("ticket-life", strings.expires, lifetime),
    ),
    el("div", { className: "check" }, postOnly, el("label", { htmlFor: "ticket-post" }, strings.postOnly)),
  );
  const walletLabel = el("span", {}, el("label", { htmlFor: "ticket-wallet" }, strings.wallet), el("br"), walletHint);
  const node = el(
    "details",
    { className: "options" },
    el("summary", {}, strings.options),
    el("div", { className: "inner" }, limitOnly, el("div", { className: "check" }, wallet, walletLabel)),
  );
  return { node, limitOnly, timeInForce, lifetime, postOnly, wallet, walletHint };
}
