"""What the points of the checklist look at: the venue file, one usable node of each chain, the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from indexer.ops.doctor.golive.accounts import Account
from indexer.ops.doctor.hive import HiveNode
from indexer.ops.doctor.ledger import Ledger
from indexer.ops.doctor.sidechain import SidechainNode
from settlement.core.venue import Venue


@dataclass(frozen=True)
class GoLive:
    """What the checklist needs besides the subject of the self-check."""

    policy_hash: str | None = None  # of the payout settings given here; None: there is no venue
    limited: frozenset[str] = frozenset()  # tokens with a `payout-limit`
    newest_backup: Callable[[], datetime | None] | None = None  # of the venue (UTC); None: no storage given
    is_single_signer: bool = False  # whether one key may sign for an escrow account


@dataclass
class Scene:
    """The venue, the nodes and the database of one look."""

    wanted: GoLive
    nodes: Sequence[HiveNode]
    engines: Sequence[SidechainNode]
    ledger: Ledger
    now: float  # seconds since 1970
    wait: Callable[[float], object]
    venue: Venue | None = None
    accounts: dict[str, Account] | None = None  # None: not read

    @property
    def hive(self) -> HiveNode | None:
        """The usable node that is furthest ahead."""
        usable = [node for node in self.nodes if node.problem is None]
        return max(usable, key=lambda node: node.irreversible, default=None)

    @property
    def engine(self) -> SidechainNode | None:
        """The usable Hive-Engine node that is furthest ahead."""
        usable = [node for node in self.engines if node.problem is None]
        return max(usable, key=lambda node: node.hive_block, default=None)

    @property
    def escrows(self) -> list[str]:
        return [] if self.venue is None else list(dict.fromkeys(token.escrow for token in self.venue.tokens))

    @property
    def names(self) -> list[str]:
        """The venue's accounts."""
        if self.venue is None:
            return []
        own = (self.venue.operator, self.venue.checkpoint_account, self.venue.fee_account)
        return list(dict.fromkeys((*own, *self.escrows)))
