"""Sources of blocks from the nodes given on the command line."""

from __future__ import annotations

from typing import Final

import click

from indexer.chain.integrity.merkle import local_verifier
from indexer.cli.support.errors import ConfigurationError
from indexer.sources.hive import HiveSource, NoReceipts
from indexer.sources.irreversible_quorum import quorum_of
from indexer.sources.sidechain import AGREEING_NODES, Sidechain
from settlement.core.events import VenueFilter
from settlement.net.backoff import Waiter
from settlement.net.chain_id import ChainIdError, ExpectedChain
from settlement.net.node_urls import distinct

POLL_SECONDS: Final = 0.5


def check_quorum(quorum: int | None, nodes: tuple[str, ...]) -> None:
    """Raise UsageError if there are fewer nodes than the quorum."""
    try:
        quorum_of(len(distinct(nodes)), quorum)
    except ValueError as error:
        raise click.UsageError(f"--quorum: {error}; add more --node options") from None


def check_engine_nodes(engine_nodes: tuple[str, ...], trust_single_node: bool) -> None:
    """Raise UsageError for a single Hive-Engine node, unless it is trusted."""
    if len(distinct(engine_nodes)) < AGREEING_NODES and not trust_single_node:
        raise click.UsageError(
            "a single Hive-Engine node would be believed alone: add another --engine-node, or accept that "
            "with --trust-single-node"
        )


def expected_chain(chain_id: str | None) -> ExpectedChain:
    """The chain that Hive nodes must belong to. Raises ConfigurationError."""
    try:
        return ExpectedChain(chain_id)
    except ChainIdError as error:
        raise ConfigurationError(f"--chain-id: {error}") from None


def open_nodes(
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...] | None,
    venue_filter: VenueFilter,
    waiter: Waiter,
    quorum: int | None,
    chain: ExpectedChain | None = None,
) -> HiveSource:
    """The source of blocks, with receipts from the sidechain nodes; None: without receipts.

    `chain` None: any chain.
    """
    return HiveSource(
        nodes,
        NoReceipts() if engine_nodes is None else Sidechain(engine_nodes, waiter, poll_seconds=POLL_SECONDS),
        venue_filter,
        waiter,
        quorum=quorum,
        chain=chain,
        verifier=local_verifier(),
        poll_seconds=POLL_SECONDS,
    )
