"""/api/peers: what comparing our hashes with other replicas' gave, as the indexer last told."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Count, Part, Time, choice
from settlement.store.status import IndexerStatus, read_status

STATES: Final = ("agrees", "disagrees", "unknown")


class PeerRow(Struct):
    """One peer, as `indexer.audit.peers.Verdict` writes it."""

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
    block: Annotated[Block | None, Meta(description="The peer's newest, when it last answered.")]
    lag: Annotated[Count | None, Meta(description="How far that was behind ours.")]
    common_block: Annotated[Block | None, Meta(description="The newest whose journal hashes were compared.")]
    state_block: Annotated[Block | None, Meta(description="The newest whose state hashes were compared.")]
    differs_in: Annotated[str | None, choice("journal", "state")]
    differs_at: Annotated[
        Block | None,
        Meta(description="The first block from which the journals differ, or the one whose states do."),
    ]
    answered: Annotated[Time | None, Meta(description="When it last answered, by the indexer's clock.")]
    error: Annotated[str | None, Meta(description="Why the last answer was none; null where it was one.")]


class Peers(Answer, kw_only=True):
    asked: Annotated[Time | None, Meta(description="When the indexer last told; null where none ever did.")]
    peers: list[Peer]


def read_peers(status: IndexerStatus | None) -> list[PeerRow]:
    """The peers that the indexer asks."""
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
    "Other replicas, and whether their hashes are ours.",
    _view,
    live=True,
    group="Audit",
)
