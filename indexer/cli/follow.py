"""`peakedex follow`: the indexer process, wired in one place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer import settings as config
from indexer.audit.checkpoints import CheckpointVerifier
from indexer.audit.peers import PeerError, PeerMonitor, parse_url
from indexer.cli.support.common import require_db, require_venue, start_logging
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.nodes import check_engine_nodes, check_quorum, expected_chain, open_nodes
from indexer.cli.support.processes import interruptible_stop
from indexer.cli.support.start_state import StartState, read_start_state
from indexer.follow.batch_writer import BatchWriter
from indexer.follow.escrow_balances import BalanceWatch
from indexer.follow.heartbeat import StatusPublisher
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.follow.wal_checkpointer import WalCheckpointer
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine, UpgradeRequired
from settlement.core.venue import Venue
from settlement.net.backoff import Backoff, Stopped, Waiter
from settlement.net.chain_id import ExpectedChain
from settlement.store.database import StoreError, closing_writer, explain, is_connection_lost, open_reader
from settlement.store.lease import Lease
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

REPORT_SECONDS: Final = 15.0
MAX_RECONNECT_SECONDS: Final = 5.0
"""The longest pause before reconnecting to a lost database."""

INDEXER_SETTINGS: Final = (
    *("venue", "db", "node", "quorum", "engine-node", "trust-single-node", "chain-id"),
    *("peer", "checkpoint-every"),
)

log = logging.getLogger("peakedex.follow")


class IndexerOptions(NamedTuple):
    """What to index, and from where."""

    venue: Venue
    db: str  # database URL
    nodes: tuple[str, ...]  # Hive nodes
    engine_nodes: tuple[str, ...]  # Hive-Engine nodes
    quorum: int | None  # Hive nodes that must agree; None: the default for their number
    chain: ExpectedChain  # of the Hive nodes
    peers: tuple[str, ...]  # replicas whose hashes are compared
    checkpoint_every: int  # blocks between comparisons of the state with peers
    start: StartState | None  # the state to begin an empty database with; None: the venue's first block


@click.command()
@config.settings(*INDEXER_SETTINGS)
@click.option(
    "--from-state",
    "state_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin an empty database with this state text, which `peakedex state` prints.",
)
@click.option("--state-hash", metavar="HASH", help="The published hash of --from-state: it is checked.")
@config.settings("log-level", "log-format")
def follow(
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    trust_single_node: bool,
    chain_id: str | None,
    peer: tuple[str, ...],
    checkpoint_every: int,
    state_file: Path | None,
    state_hash: str | None,
    log_level: str,
    log_format: str,
) -> None:
    """Index irreversible Hive blocks into the database.

    It catches up, then follows the chain until stopped. Only one indexer can use a database at a time. With
    --from-state it does not read the blocks before: the history in the database begins with that state.

    Example: peakedex follow --venue venues/example.toml --db peakedex.db
    """
    start_logging(log_level, log_format)
    rules_venue, url = require_venue(venue), require_db(db)
    check_quorum(quorum, node)
    check_engine_nodes(engine_node, trust_single_node)
    options = IndexerOptions(
        rules_venue,
        url,
        nodes=node,
        engine_nodes=engine_node,
        quorum=quorum,
        chain=expected_chain(chain_id),
        peers=peer_urls(peer),
        checkpoint_every=checkpoint_every,
        start=read_start_state(state_file, state_hash, rules_venue),
    )
    with interruptible_stop() as stop:
        run_indexer(options, stop)


def peer_urls(urls: Sequence[str]) -> tuple[str, ...]:
    """Validated URLs of peers without duplicates. Raises ConfigurationError."""
    try:
        return tuple(dict.fromkeys(map(parse_url, urls)))
    except PeerError as error:
        raise ConfigurationError(f"--peer: {error}") from error


def run_indexer(options: IndexerOptions, stop: threading.Event) -> None:
    """Index until `stop` is set. Catching up and following are the same loop.

    Meanwhile the operator's checkpoints and the hashes of peers are compared with the database.
    """
    with closing_writer(options.db) as engine, Lease(engine, on_lost=stop.set) as lease:

        def index() -> None:
            nodes = (options.nodes, options.engine_nodes)
            source = open_nodes(*nodes, options.venue.filter, Waiter(stop), options.quorum, options.chain)
            if options.start is not None:
                options.start.write(engine, source)
            rules, projector = load_or_initialise(engine, options.venue)
            log.info("catching up from block %s, state %s", rules.next_block() - 1, state_hash(rules.state))
            tune_gc()
            has_indexes = threading.Event()

            def caught_up() -> None:
                make_read_indexes(engine)
                tune_gc()  # also of what was opened while catching up
                has_indexes.set()
                log.info("following from block %s, state %s", rules.next_block() - 1, state_hash(rules.state))

            report = _ProgressLog(rules, lease).taken
            with (
                closing(source),
                _auditing(options, has_indexes) as (peers, claims),
                StatusPublisher(engine, source, peers.report, claims.report) as status,
                BalanceWatch(engine, source, *nodes, options.chain),
                WalCheckpointer(engine, source),
            ):
                try:
                    with BatchWriter(engine, options.db, projector) as writer:
                        follower = Follower(rules, writer, source, on_batch=report, on_caught_up=caught_up)
                        follower.run()
                except Stopped:
                    log.info("stopped within a block, which will be read again")
                except UpgradeRequired as error:
                    status.outdated(str(error))
                    make_read_indexes(engine)  # they are missing if it was still catching up
                    stop.wait()  # a restart would stop here again; the API goes on answering
            log.info("stopped at block %s", follower.progress.last_block or "none")

        reconnecting(index, engine, stop)
        lease.check()


def reconnecting(run: Callable[[], None], engine: Engine, stop: threading.Event) -> None:
    """Call `run`, and again after each lost database connection, until it returns or `stop` is set.

    `run` must read its state from the database, because it is unknown whether a commit during the loss was
    made. Other errors are raised.
    """
    waiter = Waiter(stop, backoff=Backoff(max_seconds=MAX_RECONNECT_SECONDS))
    pause = 0.0
    while not stop.is_set():
        began = time.monotonic()
        try:
            return run()
        except (SQLAlchemyError, StoreError) as error:
            if not is_connection_lost(error):
                raise
            engine.dispose()
            was_connected = time.monotonic() - began > MAX_RECONNECT_SECONDS
            pause = waiter.backoff.after(0.0 if was_connected else pause)
            log.warning("database connection lost (%s): reconnecting in %s s", explain(error), pause)
            waiter.pause(pause, "the database")


@contextmanager
def _auditing(
    options: IndexerOptions, has_indexes: threading.Event
) -> Iterator[tuple[PeerMonitor, CheckpointVerifier]]:
    """Compare peers' hashes and the operator's checkpoints with the database in background threads."""
    reader = open_reader(options.db)
    try:
        with (
            CheckpointVerifier(reader, has_indexes.is_set) as claims,
            PeerMonitor(options.peers, reader, has_indexes.is_set, options.checkpoint_every) as peers,
        ):
            yield peers, claims
    finally:
        reader.dispose()


class _ProgressLog:
    """Logs the position every REPORT_SECONDS, and checks the lease after each batch."""

    def __init__(self, rules: StateMachine, lease: Lease) -> None:
        self._rules = rules
        self._lease = lease
        self._due = time.monotonic()

    def taken(self, progress: Progress) -> None:
        self._lease.check()
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + REPORT_SECONDS
        log.info(
            "block %s, journal %s, %s intents, %s trades, %s open orders",
            progress.last_block,
            self._rules.state.journal_hash,
            progress.intents,
            progress.trades,
            len(self._rules.state.orders),
        )
