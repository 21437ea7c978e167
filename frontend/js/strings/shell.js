// Texts of every page's header, footer and banners.

export const shell = {
  brand: "Peake DEX",
  menu: "Main",
  openMenu: "Menu",
  pages: { markets: "Markets", trade: "Trade", portfolio: "Portfolio", transfer: "Transfer", audit: "Audit" },
  theme: "Switch between dark and light theme",
  chooseAccount: "Choose account",
  states: {
    connecting: "Connecting",
    live: "Live",
    polling: "Updates every 5 s",
    broken: "Disconnected",
    paused: "Paused",
    stale: (age) => `Last update ${age} ago`,
  },
  stateTitles: {
    connecting: "Connecting to live updates.",
    live: "Live updates.",
    polling: "Live updates unavailable. Refreshing every 5 s.",
    broken: "The server does not respond. Retrying every few seconds.",
    paused: "Paused while this tab is in the background.",
  },
  block: "Block",
  lag: "Lag",
  journal: "Journal",
  journalTitle: (hash) => `Journal hash ${hash}. Replicas that agree show the same hash. Click to open the audit.`,
  network: (name) => (name === "hive" ? "Hive" : name),
  devnet: "Test network: tokens have no value.",
  behind: (lag) => `The exchange is ${lag} blocks behind the chain: data is delayed, and market orders are disabled.`,
  stopped: "The indexer has stopped: no new blocks are processed.",
  notKept: "This browser stores nothing for this site: your account, settings and pending orders are forgotten when you leave the page.",
  waiting: (what) => `The indexer is waiting for ${what}.`,
  broken: (reason) => `${reason} Data may be out of date.`,
  mismatch: "A hash of this exchange does not match the hash that its operator published. Do not trade until this is explained.",
  escrowAlarm: "An escrow account was used outside the exchange.",
  peerMismatch: "This replica and another one have different hashes: one of them is wrong.",
  openAudit: "Open the audit",
  footer: "Your keys stay with you: you sign every order, and every decision of the exchange can be replayed.",
  status: "Status",
  api: "API",
  charts: "Charts: TradingView Lightweight Charts™",
};

export const frame = {
  refused: "This site does not open inside another site.",
  open: "Open it in a tab of its own",
};
