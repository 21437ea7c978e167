"""The nodes that commands talk to, as one source of blocks."""

from __future__ import annotations

from typing import Final

import click

from indexer.chain.integrity.merkle import local_verifier
from indexer.sources.hive import HiveSource
from indexer.sources.irreversible_quorum import quorum_of
from indexer.sources.sidechain import Sidechain
from settlement.core.events import VenueFilter
from settlement.net.backoff import Waiter

POLL_SECONDS: Final = 0.5


def check_quorum(quorum: int | None, nodes: tuple[str, ...]) -> None:
    """Raise click.UsageError if so many of these nodes cannot agree."""
    try:
        quorum_of(len(dict.fromkeys(nodes)), quorum)
    except ValueError as error:
        raise click.UsageError(f"--quorum: {error}; give more --node") from None


def open_nodes(
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...],
    venue_filter: VenueFilter,
    waiter: Waiter,
    quorum: int | None,
) -> tuple[HiveSource, Sidechain]:
    """The source for a venue_filter, and the sidechain that it takes receipts from."""
    sidechain = Sidechain(engine_nodes, waiter, poll_seconds=POLL_SECONDS)
    source = HiveSource(
        nodes,
        sidechain,
        venue_filter,
        waiter,
        quorum=quorum,
        verifier=local_verifier(),
        poll_seconds=POLL_SECONDS,
    )
    return source, sidechain
