"""Queries about pairs: order book, trades, candles and 24-hour figures."""
