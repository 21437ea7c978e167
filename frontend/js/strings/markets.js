// Texts of the Markets screen.

export const markets = {
  search: "Search pairs (/)",
  onlyFavourites: "Favourites only",
  caption: "Pairs with last price, 24h change, volume and spread",
  favourite: "Favourite",
  favouriteOf: (pair) => `Favourite: ${pair}`,
  columns: { pair: "Pair", last: "Last price", change: "24h change", high: "24h high", low: "24h low", volume: "24h volume", spread: "Spread", depth: "Depth (±2 %)", spark: "24h chart" },
  status: { paused: "Paused", closed: "Closed" },
  noPairs: "No pairs listed yet.",
  noFavourites: "No favourites yet. Click a pair's star to add it.",
  notFound: "No matching pairs.",
  sparkOf: (pair) => `Price of ${pair}, last 24 hours`,
};
