"""Endpoints in others' formats: CoinGecko, CoinMarketCap, TradingView UDF, Atom."""
