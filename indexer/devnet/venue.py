"""What the devnet's bots and generator need to know of a venue file.

The rules have a reader of their own that checks everything; this one trusts the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

EXAMPLE: Final = Path(__file__).resolve().parents[2] / "venues" / "example.toml"
_START_BLOCK: Final = re.compile(r"^start_block\s*=\s*[0-9_]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token: `chain` is `hive` or `hive-engine`, `escrow` the account that holds its deposits."""

    symbol: str
    precision: int
    chain: str
    escrow: str


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair: prices in ticks of `10^-price_decimals`, quantities in lots of `10^-quantity_decimals`."""

    base: str
    quote: str
    price_decimals: int
    quantity_decimals: int

    @property
    def name(self) -> str:
        """`BASE/QUOTE`."""
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True)
class VenueView:
    """A venue as its traders see it."""

    contract: str
    custom_json_id: str
    operator: str
    fee_account: str
    tokens: Mapping[str, TokenView]
    pairs: tuple[PairView, ...]

    @property
    def escrows(self) -> tuple[str, ...]:
        """The escrow accounts, each once, in the file's order."""
        return tuple(dict.fromkeys(token.escrow for token in self.tokens.values()))


def read_venue(text: str) -> VenueView:
    """Read a venue file. Raises tomllib.TOMLDecodeError and KeyError."""
    data: dict[str, Any] = tomllib.loads(text)
    venue = data["venue"]
    return VenueView(
        venue["contract"],
        venue["custom_json_id"],
        venue["operator"],
        venue["fee_account"],
        {
            symbol: TokenView(symbol, token["precision"], token["chain"], token["escrow"])
            for symbol, token in data["tokens"].items()
        },
        tuple(
            PairView(pair["base"], pair["quote"], pair["price_decimals"], pair["quantity_decimals"])
            for pair in data["pairs"]
        ),
    )


def demo_venue(text: str) -> str:
    """The venue file for a chain that starts at block 1. Raises ValueError if it names no start block."""
    changed, count = _START_BLOCK.subn("start_block = 1", text)
    if count != 1 or tomllib.loads(changed)["venue"]["start_block"] != 1:
        raise ValueError("[venue] must have one line start_block = …")
    return changed
