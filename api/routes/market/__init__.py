"""Market data endpoints: venue, pairs, order books, trades, candles."""
