"""CCXT's exchange class `peakedex`: `from peakedex_ccxt import peakedex`. Needs `pip install ccxt`."""

from peakedex_ccxt.exchange import peakedex

__all__ = ["peakedex"]
