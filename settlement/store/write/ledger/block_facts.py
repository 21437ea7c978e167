"""Facts of a block: what its journal lines say and changed, from which rows and change sets are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.store.write.ledger.views import (
    BalanceView,
    GrantView,
    IntentView,
    OrderView,
    PairView,
    TokenView,
)

TransferRow: TypeAlias = tuple[int, int, int, int, int, int, int, int]
"""A row of the table `transfers`."""


@dataclass(slots=True)
class BlockFacts:
    """What one block's lines say and changed, in order."""

    header: BlockHeader
    number: int  # of the block
    transfers: list[TransferRow] = field(default_factory=list)
    balances: list[BalanceView] = field(default_factory=list)  # changed ones
    intents: list[IntentView] = field(default_factory=list)
    orders: dict[int, OrderView] = field(default_factory=dict)  # changed orders and stops by sequence
    trades: list[tuple[lines.Trade, OrderView, OrderView]] = field(default_factory=list)  # line, taker, maker
    levels: dict[tuple[PairView, bool, int], tuple[int, int]] = field(
        default_factory=dict
    )  # touched (pair, is_buy, price): base units and number of orders before, where the ledger tracks levels
    holdings: dict[TokenView, None] = field(default_factory=dict)  # tokens whose holdings changed
    grants_used: dict[int, GrantView] = field(default_factory=dict)  # by number
    others: list[tuple[lines.Line, object]] = field(
        default_factory=list
    )  # other lines, and what they concern
    rules_changed: bool = False  # tokens, pairs or settings
