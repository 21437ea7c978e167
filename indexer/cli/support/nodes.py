"""Sources of blocks from the nodes given on the command line."""

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
    """Raise UsageError if there are fewer nodes than the quorum."""
    try:
        quorum_of(len(dict.fromkeys(nodes)), quorum)
    except ValueError as error:
        raise click.UsageError(f"--quorum: {error}; add more --node options") from None


def open_nodes(
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...],
    venue_filter: VenueFilter,
    waiter: Waiter,
    quorum: int | None,
) -> tuple[HiveSource, Sidechain]:
    """The block source, and the sidechain that it reads receipts from."""
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
