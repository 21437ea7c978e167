// Texts of the trading screen's panels that are loaded after the first paint.

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
  outside: (where, count, text) => `${where === "above" ? "▲" : "▼"} ${count > 1 ? `${count} orders ${where}` : text}`,
  priced: (kind, text, price) => `${text}${kind === "stop" ? ", trigger" : " at"} ${price}`,
};

export const accountPanel = {
  title: "Your account",
  tabs: { open: "Open orders", history: "Order history", trades: "Trade history", balances: "Balances" },
  openCount: (count) => `Open orders (${count})`,
  onlyPair: (pair) => `Only ${pair}`,
  cancelAll: (count) => `Cancel all (${count})`,
};

export const pairPicker = {
  title: "Pairs",
  search: "Search pairs",
  loading: "Loading pairs …",
  none: "No matching pairs.",
};
