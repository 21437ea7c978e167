"""Self-check of everything that an installation needs (`peakedex doctor`): findings, each with a cure.

machine            versions, disk, clock
hive, sidechain    the nodes
ledger             the database and its indexer
escrow             the accounts that hold the funds
golive             the checklist of docs/go-live.md
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from indexer.ops.doctor import hive, machine, sidechain
from indexer.ops.doctor.escrow import Escrows
from indexer.ops.doctor.findings import Finding, fatal, warn
from indexer.ops.doctor.ledger import Ledger
from indexer.ops.doctor.subject import Subject, read_venue
from indexer.sources.irreversible_quorum import quorum_of
from settlement.core.venue import Venue

__all__ = ["Finding", "Subject", "examine"]


def examine(
    subject: Subject,
    *,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Finding]:
    """Run all checks in the order of their dependencies. Problems are findings, not exceptions."""
    yield from machine.versions()
    about_file, venue = read_venue(subject.venue_file)
    yield from about_file
    if venue is not None and venue.checkpoint_account == venue.operator:
        yield warn(
            "checkpoints",
            f"{venue.operator} signs checkpoints too: its key lies on the machine that pays",
            "name another account as checkpoint_account before the venue starts",
        )
    ledger = Ledger(subject.db)
    yield from ledger.examine(venue, wait)
    nodes = hive.inspect_nodes(subject.nodes, subject.chain)
    engines = sidechain.inspect_nodes(subject.engine_nodes)
    well = sorted(
        (node for node in nodes if node.problem is None), key=lambda node: node.irreversible, reverse=True
    )
    if well:
        yield machine.clock(clock(), max(node.head_time for node in well))
    yield from _hive(nodes, subject.quorum)
    irreversible = well[0].irreversible if well else 0
    yield from sidechain.findings(
        engines, irreversible, well[0] if well else None, trust_single_node=subject.trust_single_node
    )
    if not well:
        return
    yield from _against_chain(venue, ledger, well[0])
    usable = sorted(
        (node for node in engines if node.problem is None), key=lambda node: node.hive_block, reverse=True
    )
    yield from Escrows(venue, ledger, well[0], usable[0] if usable else None, wait).examine()


def _hive(nodes: Sequence[hive.HiveNode], quorum: int | None) -> Iterator[Finding]:
    try:
        agreeing = quorum_of(len(nodes), quorum)
    except ValueError as error:
        yield fatal("quorum", str(error), "add more with --node, or lower --quorum")
        agreeing = len(nodes)
    yield from hive.findings(nodes, agreeing)


def _against_chain(venue: Venue | None, ledger: Ledger, node: hive.HiveNode) -> Iterator[Finding]:
    """Whether venue and database belong to the nodes' chain."""
    if venue is not None and venue.start_block > node.irreversible:
        yield warn(
            "chain",
            f"the venue starts at block {venue.start_block}, and the chain is at {node.irreversible}",
            "wait, or check that these are the right nodes",
        )
    header = ledger.state.header if ledger.state is not None else None
    if header is not None:
        finding = hive.on_this_chain(node, header.number, header.block_id)
        if finding is not None:
            yield finding
