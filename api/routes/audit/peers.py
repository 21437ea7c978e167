"""/api/peers: comparison of hashes with other replicas, as last reported by the indexer."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Count, Part, Time, choice
from settlement.store.indexer_status import IndexerStatus, read_status

STATES: Final = ("agrees", "disagrees", "unknown")


class PeerRow(Struct):
    """One peer, as `indexer.audit.peers.PeerStatus` writes it."""

    url: str
    state: str
    block: int | None
    lag: int | None
    common_block: int | None
    state_block: int | None
    differs_in: str | None
    differs_at: int | None
    answered: int | None
    error: str | None


class Peer(Part, kw_only=True):
    url: str
    state: Annotated[str, choice(*STATES)]
    block: Annotated[Block | None, Meta(description="The peer's newest block at its last answer.")]
    lag: Annotated[Count | None, Meta(description="Blocks behind this replica at that time.")]
    common_block: Annotated[
        Block | None, Meta(description="Newest block whose journal hashes were compared.")
    ]
    state_block: Annotated[Block | None, Meta(description="Newest block whose state hashes were compared.")]
    differs_in: Annotated[str | None, choice("journal", "state")]
    differs_at: Annotated[
        Block | None,
        Meta(description="First block with a different journal, or the block with a different state."),
    ]
    answered: Annotated[Time | None, Meta(description="Time of its last answer, by the indexer's clock.")]
    error: Annotated[str | None, Meta(description="Error of the last request; null if it succeeded.")]


class Peers(Answer, kw_only=True):
    asked: Annotated[
        Time | None, Meta(description="Time of the indexer's last report; null before the first.")
    ]
    peers: list[Peer]


def read_peers(status: IndexerStatus | None) -> list[PeerRow]:
    """The peers that the indexer compares with."""
    text = None if status is None else status.peers
    return [] if text is None else msgspec.json.decode(text, type=list[PeerRow])


def _view(snapshot: Snapshot, _: NoParameters) -> Peers:
    status = read_status(snapshot.connection)
    return Peers(
        *snapshot.stamp,
        asked=None if status is None else iso(status.updated),
        peers=[_peer(row) for row in read_peers(status)],
    )


def _peer(row: PeerRow) -> Peer:
    fields = msgspec.structs.asdict(row)
    return Peer(**{**fields, "answered": None if row.answered is None else iso(row.answered)})


resource = Resource(
    "/api/peers",
    NoParameters,
    Peers,
    "Other replicas, and whether their hashes agree.",
    _view,
    live=True,
    group="Audit",
)
