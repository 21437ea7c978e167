// Texts of intents: their titles, the sentences that the trader signs, and why one would be invalid.

import { duration, sides } from "./common.js";

const SIDE = { buy: "BUY", sell: "SELL" };

export const intents = {
  // Short titles, for lists and toasts.
  order: (side, amount, price) => `${sides[side]} ${amount} at ${price}`,
  market: "market",
  stop: (order, condition) => `${order}, once ${condition}`,
  condition: (when, price) => `the mark is ${when === "above" ? "≥" : "≤"} ${price}`,
  withStop: (order, stop, worst) => `${order}, stop ${stop}, worst price ${worst}`,
  marketOrder: (side, base, amount) => (side === "buy" ? `Buy ${base} for ${amount}` : `Sell ${amount} at market`),
  cancel: (order) => `Cancel order: ${order}`,
  cancelAll: (orders) => `Cancel ${orders}`,
  allOrders: (pair, count) => ["all", count, pair, "orders"].filter(Boolean).join(" "),
  replace: (order) => `${order} (replacement)`,
  withdraw: (amount) => `Withdraw ${amount}`,
  cancelWithdrawal: (amount) => `Cancel withdrawal of ${amount}`,
  deposit: (amount) => `Deposit ${amount}`,
  everything: (symbol) => `all ${symbol}`,
  // Full sentences: what the trader reads before signing, here and in the wallet.
  limitSentence: ({ side, amount, price, total, ends, postOnly, wallet }) =>
    `${SIDE[side]} ${amount} at ${price}, total ${total}, ${postOnly ? "post-only, " : ""}${ends}`
    + (wallet ? ", proceeds paid out to the wallet" : ""),
  marketSentence: ({ side, base, quote, amount, worst, wallet }) =>
    (side === "buy" ? `MARKET BUY ${base} for ${amount}` : `MARKET SELL ${amount} for ${quote}`)
    + (worst === null ? ", no price limit" : `, worst price ${worst}`)
    + (wallet ? ", proceeds paid out to the wallet" : ""),
  stopSentence: (when, price, sentence) => `WHEN THE MARK ${when === "above" ? "RISES" : "FALLS"} TO ${price}: ${sentence}`,
  protected: (sentence, stop) => `${sentence}. ${stop}`,
  protectSentence: (side, stop, worst) =>
    (side === "sell"
      ? `STOP LOSS: when the mark falls to ${stop}, it is cancelled and the rest is sold at market, worst price ${worst}`
      : `STOP: when the mark rises to ${stop}, it is cancelled and the rest is bought at market, worst price ${worst}`),
  cancelSentence: (order, remaining) => `CANCEL order “${order}”${remaining ? ` (${remaining} remaining)` : ""}`,
  cancelAllSentence: (pair, count) =>
    `CANCEL ALL open orders and stops${pair ? ` of ${pair}` : ""}${count ? `: ${count} at the moment` : ""}`,
  replaceSentence: (before, after) => `REPLACE order “${before}” with “${after}”`,
  withdrawSentence: (amount, to, memo) => `WITHDRAW ${amount} to @${to}${memo ? ` with the memo “${memo}”` : ""}`,
  cancelWithdrawalSentence: (amount, to) =>
    `CANCEL the withdrawal of ${amount} to @${to}: available again in one hour, unless it is paid before`,
  depositSentence: (amount, escrow) => `DEPOSIT ${amount} to the escrow account @${escrow}`,
  and: ", and ",
  expires: (seconds) => `expires in ${duration(seconds)}`,
  timeInForce: { IOC: "immediate-or-cancel", FOK: "fill-or-kill" },
  // Invalid input.
  zero: "Must be greater than 0.",
  range: "Exceeds the maximum amount.",
  account: "Not a valid Hive account name.",
  noPair: (pair) => `${pair} is not listed.`,
  noToken: (symbol) => `${symbol} is not listed.`,
  pairStatus: (pair, status) => `${pair} is ${status}: no new orders. Open orders can be cancelled.`,
  noChange: "Nothing has changed.",
  postOnlyConflict: "Post-only cannot be combined with IOC or FOK.",
  protectConflict: "A stop loss needs a limit order that stays open (good till cancel) and settles at the exchange.",
  stopFromWallet: "A stop cannot trade directly from the wallet: deposit first.",
  worstRequired: "A stop-market order needs a worst price.",
  worstBeyondStop: (side) => `The worst price must not be ${side === "sell" ? "above" : "below"} the stop price.`,
  lifetime: (most) => `Must be between 1 second and ${duration(most)}.`,
  escrow: (name) => `@${name} is an escrow account of the exchange. Enter your own account.`,
  memo: (most) => `At most ${most} characters, without line breaks or control characters.`,
  memoReserved: "Cannot begin with # (encrypted memos) or “peakedex:” (the exchange's own payments).",
  memoExecutable: "The memo of a HIVE or HBD payment cannot begin with { or [: the sidechain could execute it.",
  coinNeedsDeposit: (symbol) => `${symbol} is a native Hive coin: deposit it first, then trade.`,
  id: "Invalid ID.",
  minimum: (amount) => `The minimum withdrawal is ${amount}.`,
  tooMany: (most) => `At most ${most} actions per transaction.`,
  tooLong: (most) => `Too long: a transaction holds at most ${most} bytes.`,
};
