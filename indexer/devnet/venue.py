"""A venue as the devnet's bots and generator use it: tokens by symbol and the pairs of a venue file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from settlement.core.venue import PairRules, TokenRules, parse_venue

_INSTALLED: Final = Path(__file__).resolve().parents[1] / "venues" / "example.toml"
EXAMPLE: Final = _INSTALLED if _INSTALLED.is_file() else _INSTALLED.parents[2] / "venues" / "example.toml"
"""The example venue, of an installed package or of a checkout."""
_START_BLOCK: Final = re.compile(r"^start_block\s*=\s*[0-9_]+", re.MULTILINE)


@dataclass(frozen=True)
class VenueView:
    """The part of a venue that its traders depend on."""

    contract: str
    custom_json_id: str
    operator: str
    checkpoint_account: str
    fee_account: str
    tokens: Mapping[str, TokenRules]  # by symbol, in the file's order
    pairs: tuple[PairRules, ...]  # in the file's order

    @property
    def escrows(self) -> tuple[str, ...]:
        """The escrow accounts without repetition, in the file's order."""
        return tuple(dict.fromkeys(token.escrow for token in self.tokens.values()))


def read_venue(text: str) -> VenueView:
    """Read a venue file. Raises VenueError."""
    venue = parse_venue(text)
    return VenueView(
        venue.contract,
        venue.custom_json_id,
        venue.operator,
        venue.checkpoint_account,
        venue.fee_account,
        {token.symbol: token for token in venue.tokens},
        venue.pairs,
    )


def demo_venue(text: str) -> str:
    """The venue file with `start_block = 1`, for a new devnet. Raises ValueError without a start block."""
    changed, count = _START_BLOCK.subn("start_block = 1", text)
    if count != 1:
        raise ValueError("[venue] must have exactly one line start_block = …")
    return changed
