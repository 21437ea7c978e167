// Which fields and options of the order ticket are shown, and what it says about a stop.

import { markText } from "../data/marks.js";
import { showPrice } from "../lib/amounts.js";
import { setText } from "../lib/dom.js";
import { ticket as strings } from "../strings/ticket.js";
import { ORDER_TYPES } from "./order-types.js";

/**
 * @param {any} form of ticket-form.js
 * @param {"buy"|"sell"} side
 * @param {import("./order-types.js").OrderType} type
 */
export function showFields(form, side, type) {
  const { isMarket, isStop } = ORDER_TYPES[type];
  const isBudget = isMarket && side === "buy";
  for (const [name, node] of Object.entries(form.sides)) node.setAttribute("aria-pressed", String(name === side));
  for (const name of ["limit", "market"]) form.types[name].setAttribute("aria-pressed", String(name === type));
  form.types.stop.value = isStop ? type : "";
  form.types.stop.classList.toggle("chosen", isStop);
  form.trigger.node.hidden = !isStop;
  form.price.node.hidden = isMarket;
  form.amount.node.hidden = isBudget;
  form.total.node.hidden = isMarket && side === "sell";
  form.slippage.node.hidden = !isMarket;
  setText(form.priceLabel, isStop ? strings.limitPrice : strings.price);
  setText(form.totalLabel, isBudget ? strings.spend : strings.total);
  setText(form.slippageLabel, isStop ? strings.slippage.stop : strings.slippage.market);
  // The percentage buttons stand below the field that they fill in.
  const order = isBudget ? [form.total.node, form.shares] : [form.shares, form.total.node];
  if (form.amount.node.nextSibling !== order[0]) form.amount.node.after(...order);
}

/**
 * Hide the options that the type does not have, and disable what cannot be combined.
 * @param {any} form of ticket-form.js
 * @param {"buy"|"sell"} side
 * @param {import("./order-types.js").OrderType} type
 * @param {any} token of the venue that the order gives
 */
export function showOptions({ options }, side, type, token) {
  const { isMarket, isStop } = ORDER_TYPES[type];
  const staysOpen = options.timeInForce.value === "GTC";
  const isLimit = type === "limit";
  const isCoin = token.chain !== "hive-engine";
  options.force.hidden = isMarket;
  options.life.hidden = isMarket && !isStop;
  options.lifetime.disabled = !isStop && !staysOpen;
  options.checks.hidden = isMarket;
  options.protectRow.hidden = !isLimit;
  options.walletRow.hidden = isStop;
  allow(options.postOnly, isMarket || staysOpen);
  allow(options.protect, !isLimit || (staysOpen && !options.wallet.checked));
  const hasProtect = isLimit && options.protect.checked;
  allow(options.wallet, !isCoin && !hasProtect);
  options.stopFields.node.hidden = !hasProtect;
  setText(options.protectLabel, strings.protect[side]);
  setText(options.walletHint, isCoin ? strings.walletCoin(token.symbol) : options.wallet.checked ? strings.walletHint : "");
}

function allow(box, isPossible) {
  box.disabled = !isPossible;
  if (!isPossible) box.checked = false;
}

/**
 * Say what a stop will do, and where the mark is.
 * @param {any} form of ticket-form.js
 * @param {import("../lib/amounts.js").Market} pair
 * @param {import("./read-order.js").Order} order
 * @param {import("../data/marks.js").Mark|null|undefined} mark
 */
export function showStop(form, pair, { kind, side, ticks, trigger, protect }, mark) {
  setText(form.mark, mark ? strings.mark(markText(pair, mark)) : "");
  form.becomes.hidden = !trigger;
  if (trigger) {
    const price = kind.isMarket ? null : ticks === null ? "…" : showPrice(pair, ticks);
    setText(form.becomes, strings.becomes({ side, price, when: trigger.when, trigger: showPrice(pair, trigger.ticks) }));
  }
  form.options.stopFields.show(side, protect);
}
