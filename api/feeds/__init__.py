"""Endpoints in other sites' formats: CoinGecko, CoinMarketCap, TradingView UDF."""
