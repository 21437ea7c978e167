// Texts of the statement's download on the Portfolio screen.

export const statement = {
  title: "Statement",
  format: "Format",
  formats: { csv: "CSV with balances and profit", koinly: "Koinly CSV", cointracking: "CoinTracking CSV" },
  from: "From (UTC)",
  to: "To",
  order: "The first day is after the last one.",
  download: "Download statement",
  feed: "Feed",
  feedTitle: "Fills, deposits, refunds and withdrawals for feed readers (Atom)",
  lead: "Every deposit, withdrawal, trade, fee and refund, with balances that add up. The cost of deposits is unknown and never guessed: enter it in your tax program.",
};
