// Texts of the trading screen.

import { duration, sides } from "./common.js";

export const trade = {
  title: (pair) => `${pair} · Peake DEX`,
  titleWithPrice: (price, pair) => `${price} ${pair} · Peake DEX`,
  noPair: "This pair is not listed.",
  toMarkets: "View all markets",
  views: { chart: "Chart", book: "Book", trades: "Trades", orders: "Orders" },
  closeTicket: "Close the order ticket",
  marketBehind: "Market orders are disabled while the exchange is behind the chain.",
  marketStale: "Market orders are disabled while there are no updates from the server.",
  proofTitle: "Verify it yourself",
  proof: "Everything shown here follows from signed operations on the chain. Compare hashes and reserves, or verify the proof of your own balance.",
  proofLink: "Open the audit",
};

export const pairBar = {
  pick: "Choose another pair (/)",
  change: "24h change",
  high: "24h high",
  low: "24h low",
  volume: (symbol) => `Volume (${symbol})`,
  spread: "Spread",
  status: { paused: "Paused: no new orders", closed: "Closed" },
};

export const pairPicker = {
  title: "Pairs",
  search: "Search pairs",
  loading: "Loading pairs …",
  none: "No matching pairs.",
};

export const orderBook = {
  title: "Order book",
  grouping: "Price grouping",
  price: (quote) => `Price (${quote})`,
  amount: (base) => `Amount (${base})`,
  total: "Total",
  caption: { bids: "Bids, best price first", asks: "Asks, best price last" },
  level: (side, price, amount) => `${side === "bids" ? "Bid" : "Ask"} ${price}, ${amount}. Copy to the order ticket.`,
  own: (amount) => `Your orders at this price: ${amount}`,
  spread: (percent) => `Spread ${percent} %`,
  spreadTitle: (price) => `Best ask minus best bid: ${price}`,
  noAsks: "No asks",
  noBids: "No bids",
};

export const recentTrades = {
  title: "Recent trades",
  caption: "Recent trades, newest first",
  price: (quote) => `Price (${quote})`,
  amount: (base) => `Amount (${base})`,
  time: "Time",
  bought: "bought at ",
  sold: "sold at ",
  none: "No trades yet",
};

export const chart = {
  title: "Chart",
  interval: "Interval",
  view: "View",
  views: { candles: "Candles", depth: "Depth", table: "Table" },
  caption: (pair) => `Candles of ${pair.base}/${pair.quote}, newest first`,
  columns: (pair) => ["Time", "Open", "High", "Low", "Close", `Volume (${pair.base})`],
  volume: "Vol",
  none: "No trades yet",
  failed: "Failed to load candles.",
  summary: ({ pair, interval, count, last, high, low }) => `${pair}, last ${count} candles (${interval}): last price ${last}, high ${high}, low ${low}. The table view lists the candles.`,
  depth: "Market depth",
  depthSummary: (bid, ask) => `Market depth: best bid ${bid}, best ask ${ask}. The order book lists the levels.`,
};

export const ticket = {
  title: "Order ticket",
  side: "Side",
  type: "Order type",
  limit: "Limit",
  market: "Market",
  price: "Price",
  amount: "Amount",
  total: "Total",
  spend: "Spend",
  slippage: "Max slippage from the best price",
  worstPrice: (price) => `worst price ${price}`,
  bid: "Bid",
  mid: "Mid",
  ask: "Ask",
  bidTitle: "Use the best bid",
  midTitle: "Use the mid price",
  askTitle: "Use the best ask",
  available: "Available",
  fromWallet: "from your wallet",
  deposit: "Deposit",
  shares: "Percentage of the available balance",
  max: "Max",
  options: "Advanced options",
  timeInForce: "Time in force",
  timesInForce: { GTC: "Good till cancel", IOC: "Immediate or cancel", FOK: "Fill or kill" },
  expires: "Expires",
  lifetime: (seconds) => `in ${duration(seconds)}`,
  postOnly: "Post-only",
  wallet: "Trade directly from the wallet",
  walletHint: "Deposit, order and payout of the proceeds with one signature. Proceeds below the minimum withdrawal stay available here.",
  walletCoin: (symbol) => `Not available for ${symbol}: deposit native Hive coins first.`,
  estimate: "Estimate",
  fills: "Fills immediately",
  nothing: "Nothing",
  average: "Average price",
  fee: "Fee",
  minimum: "Minimum received",
  open: "Remains open",
  unfilled: "Not filled",
  unspent: "Not spent",
  none: "Nothing",
  submit: (side, base) => `${sides[side]} ${base}`,
  chooseAccount: "Choose account",
  priceFirst: "Enter a price first.",
  lessThanLot: (cost, quote) => `The minimum amount costs ${cost} ${quote} at this price.`,
  slippageRange: "Must be between 0 and 50 %.",
  status: (status) => (status === "paused" ? "Trading is paused: no new orders. Open orders can be cancelled." : "This pair is closed."),
  noLiquidity: "No orders to trade against.",
  insufficient: (symbol) => `Insufficient ${symbol} balance`,
  postOnlyCrosses: "Post-only order would execute immediately",
  notComplete: "Not enough liquidity to fill the whole order at this price",
  noFill: "No liquidity at this price",
};

export const accountPanel = {
  title: "Your account",
  tabs: { open: "Open orders", history: "Order history", trades: "Trade history", balances: "Balances" },
  openCount: (count) => `Open orders (${count})`,
  onlyPair: (pair) => `Only ${pair}`,
  cancelAll: "Cancel all",
  noAccount: "Choose an account to see its orders, trades and balances.",
};
