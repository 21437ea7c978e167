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
