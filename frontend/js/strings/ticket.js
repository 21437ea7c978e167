// Texts of the order ticket.

import { duration, sides } from "./common.js";

const percent = (bps) => `${bps / 100}\u00a0%`;

export const ticket = {
  title: "Order ticket",
  side: "Side",
  type: "Order type",
  types: {
    limit: "Limit", market: "Market", stopLimit: "Stop-limit", stopMarket: "Stop-market", takeLimit: "Take-profit limit",
    takeMarket: "Take-profit market",
  },
  stop: "Stop / take-profit",
  stopTypes: "Stop and take-profit orders",
  trigger: "Trigger price",
  mark: (mark) => `Mark ${mark}`,
  markTitle: "Average price of the last ten blocks with trades. Stops trigger by it.",
  price: "Price",
  limitPrice: "Limit price",
  amount: "Amount",
  total: "Total",
  spend: "Spend",
  slippage: { market: "Max slippage from the best price", stop: "Max slippage from the trigger price" },
  worstPrice: (price) => `worst ${price}`,
  bid: "Bid",
  mid: "Mid",
  ask: "Ask",
  bidTitle: "Use the best bid",
  midTitle: "Use the mid price",
  askTitle: "Use the best ask",
  available: "Available",
  inWallet: "In your wallet",
  useAll: (exact) => `Use all: ${exact}`,
  deposit: "Deposit",
  shares: "Percentage of the available balance",
  max: "Max",
  capped: "Capped at your balance",
  nothingToSpend: (symbol) => `No ${symbol} available`,
  options: "Options",
  timeInForce: "Time in force",
  timesInForce: { GTC: "Good till cancel", IOC: "Immediate or cancel", FOK: "Fill or kill" },
  expires: "Expires",
  lifetime: (seconds) => `in ${duration(seconds)}`,
  postOnly: "Post-only",
  protect: { buy: "Stop", sell: "Stop loss" },
  wallet: "Trade directly from the wallet",
  walletHint: "Deposit, order and payout of the proceeds with one signature.",
  walletCoin: (symbol) => `Not available for ${symbol}: deposit native Hive coins first.`,
  submit: (side, base) => `${sides[side]} ${base}`,
  submitStop: (side, base) => `Place stop: ${sides[side].toLowerCase()} ${base}`,
  chooseAccount: "Choose account",
  priceFirst: "Enter a price first.",
  lessThanLot: (cost, quote) => `The minimum amount costs ${cost} ${quote} at this price.`,
  slippageRange: "Must be between 0 and 50 %.",
  // What a stop will do.
  becomes: ({ side, price, when, trigger }) =>
    `Becomes a ${price === null ? `market ${side}` : `limit ${side} at ${price}`} when the mark ${when === "above" ? "rises" : "falls"} to ${trigger}.`,
};

export const estimate = {
  title: "Estimate",
  fills: "Fills immediately",
  nothing: "Nothing",
  average: "Average price",
  fee: "Fee",
  rates: "Fee rates",
  rate: (maker, taker) => `maker ${percent(maker)}, taker ${percent(taker)}`,
  minimum: "Minimum received",
  open: "Remains open",
  unfilled: "Not filled",
  unspent: "Not spent",
  onHold: "On hold",
  worst: "Worst price",
  limit: "Limit price",
  expires: "Expires",
  none: "Nothing",
};

export const obstacles = {
  status: (status) => (status === "paused" ? "Trading is paused: no new orders. Open orders can be cancelled." : "This pair is closed."),
  noLiquidity: "No orders to trade against",
  range: "Exceeds the maximum amount",
  insufficient: (symbol) => `Insufficient ${symbol} balance`,
  insufficientWallet: (symbol) => `Insufficient ${symbol} in your wallet`,
  walletLoading: "Loading your wallet balance …",
  walletUnknown: "Your wallet balance is not available. Try again, or deposit first.",
  limit: (most) => `You have ${most} open orders and stops, the maximum. Cancel some first.`,
  markLoading: "Loading the mark …",
  markFailed: "The mark is not available: stops cannot be placed now.",
  noMark: "This pair has no mark yet: stops need trades between two accounts.",
  reached: (mark, when) => `The mark is ${mark}: already reached. The price must be ${when === "above" ? "above" : "below"} it.`,
  stopNeeded: "Enter the stop price and the worst price.",
  worstBeyondStop: (side) => `The worst price must not be ${side === "sell" ? "above" : "below"} the stop price.`,
  E_POST_ONLY: "Post-only order would execute immediately",
  E_FOK: "Not enough liquidity to fill the whole order at this price",
  E_SELF_TRADE: "Your own order is in the way. Cancel it first.",
  E_NO_LIQUIDITY: "No liquidity at this price",
};

export const notes = {
  cancelsOwn: "Your own orders in its way will be cancelled.",
  stopsAtOwn: "Stops at your own order, and the rest is cancelled.",
  belowMinimum: (amount) => `Proceeds below the minimum withdrawal of ${amount} stay at the exchange.`,
};

export const stopFields = {
  stop: "Stop price",
  worst: "Worst price",
  effect: ({ side, stop, worst }) =>
    (side === "sell"
      ? `If the mark falls to ${stop}, the order is cancelled and the rest is sold at market, for ${worst} or more.`
      : `If the mark rises to ${stop}, the order is cancelled and the rest is bought at market, for ${worst} or less.`),
};

export const replaceDialog = {
  title: "Replace order",
  hint: "Cancels the order and places a new one in one step. The new order goes to the end of the queue at its price.",
  price: (quote) => `Price (${quote})`,
  amount: (base) => `Amount (${base})`,
  protect: (side) => (side === "sell" ? "Stop loss (optional)" : "Stop (optional)"),
  noStop: "This order settles to your wallet: it cannot have a stop loss.",
  staysStop: "A stop loss cannot be removed. Cancel the order, and place it again without.",
  crosses: ({ amount, average, fee, rate }) => `Would execute immediately as taker: ${amount} at an average of ${average}, fee ${fee} (${rate}).`,
  rests: (amount) => `Stays open: ${amount}.`,
  loading: "Loading the order book …",
  failed: "The order book is not available.",
  review: "Review",
};
