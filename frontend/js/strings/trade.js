// Texts of the trading screen.

export const trade = {
  title: (pair) => `${pair} · Peake DEX`,
  titleWithPrice: (price, pair) => `${price} ${pair} · Peake DEX`,
  noPair: "This pair is not listed.",
  retrying: "Trying again every few seconds.",
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
  depthAt: (side, price, amount, base) => `${side === "bids" ? "Bids down to" : "Asks up to"} ${price}: ${amount} ${base}`,
  depthSummary: (bid, ask) => `Market depth: best bid ${bid}, best ask ${ask}. The order book lists the levels.`,
};

export const orderLines = {
  order: (side, amount, count) => `${side} ${amount}${count > 1 ? ` (${count} orders)` : ""}`,
  stop: (kind, side, amount, limit) => `${kind}: ${side} ${amount}${limit === null ? "" : ` at ${limit}`}`,
  outside: (where, count, text, price) => `${where === "above" ? "▲" : "▼"} ${count > 1 ? `${count} orders ${where}` : `${text}, ${price}`}`,
};

export const accountPanel = {
  title: "Your account",
  tabs: { open: "Open orders", history: "Order history", trades: "Trade history", balances: "Balances" },
  openCount: (count) => `Open orders (${count})`,
  onlyPair: (pair) => `Only ${pair}`,
  cancelAll: (count) => `Cancel all (${count})`,
  noAccount: "Choose an account to see its orders, trades and balances.",
};
