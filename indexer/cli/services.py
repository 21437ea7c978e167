"""`peakedex follow`, `serve` and `run`: the indexer, the read API, and both."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer import settings as config
from indexer.audit.checkpoints import Claims
from indexer.audit.peers import PeerError, Peers, parse_url
from indexer.cli.support.common import require_db, require_venue, start_logging, tune_gc
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.nodes import check_quorum, open_nodes
from indexer.cli.support.processes import Family, peakedex, prompt_stop, stop_event
from indexer.follow.heartbeat import StatusPublisher
from indexer.follow.loop import Follower, Progress
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.net.backoff import Backoff, Stopped, Waiter
from settlement.store.database import StoreError, closing_writer, explain, is_connection_lost, open_reader
from settlement.store.lease import Lease
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

DEVNET: Final = "devnet"
REPORT_SECONDS: Final = 15.0
LONGEST_LOSS_SECONDS: Final = 5.0
"""The longest pause before a lost database is tried again."""

log = logging.getLogger("peakedex.follow")


@click.command()
@config.setting("venue")
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("peer")
@config.setting("checkpoint-every")
@config.setting("log-level")
@config.setting("log-format")
def follow(
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    peer: tuple[str, ...],
    checkpoint_every: int,
    log_level: str,
    log_format: str,
) -> None:
    """Follow the chain: irreversible blocks in, journal and rows out. One at a time on one database.

    Example: peakedex follow --venue venues/example.toml --db peakedex.db
    """
    start_logging(log_level, log_format)
    rules_venue, url = require_venue(venue), require_db(db)
    check_quorum(quorum, node)
    peers = _peer_urls(peer)
    with prompt_stop() as stop:
        follow_chain(rules_venue, url, node, engine_node, quorum, stop, peers, checkpoint_every)


def follow_chain(
    venue: Venue,
    db: str,
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...],
    quorum: int | None,
    stop: threading.Event,
    peers: tuple[str, ...],
    state_blocks: int,
) -> None:
    """Follow until the stop event is set; catching up and following are one loop. Beside it, claims of the
    operator and hashes of peers are compared with ours, states at multiples of `state_blocks`."""
    with closing_writer(db) as engine, Lease(engine, on_lost=stop.set) as lease:

        def follow_on() -> None:
            rules, recorder = load_or_initialise(engine, venue)
            waiter = Waiter(stop)
            source, _ = open_nodes(nodes, engine_nodes, rules.venue_filter, waiter, quorum)
            log.info("catching up from block %s, state %s", rules.next_block() - 1, state_hash(rules.state))
            tune_gc()
            has_indexes = threading.Event()

            def caught_up() -> None:
                make_read_indexes(engine)
                has_indexes.set()
                log.info("following from block %s, state %s", rules.next_block() - 1, state_hash(rules.state))

            report = _Reporter(rules, lease).committed
            follower = Follower(rules, recorder, source, on_commit=report, on_caught_up=caught_up)
            with (
                closing(source),
                _comparing(db, has_indexes, peers, state_blocks) as (asked, claims),
                StatusPublisher(engine, source, asked.report, claims.report),
            ):
                _run_until_stopped(follower)
            log.info("stopped at block %s", follower.progress.last_block or "none")

        _through_losses(follow_on, engine, stop)
        lease.check()


def _through_losses(follow_on: Callable[[], None], engine: Engine, stop: threading.Event) -> None:
    """Follow, and after each loss of the database again, with all that is known read from it anew.

    So it does not matter whether a commit under way when the connection broke was made. Any other error is
    raised: trying again would only meet it again.
    """
    waiter = Waiter(stop, backoff=Backoff(max_seconds=LONGEST_LOSS_SECONDS))
    pause = 0.0
    while not stop.is_set():
        began = time.monotonic()
        try:
            return follow_on()
        except (SQLAlchemyError, StoreError) as error:
            if not is_connection_lost(error):
                raise
            engine.dispose()
            has_lasted = time.monotonic() - began > LONGEST_LOSS_SECONDS
            pause = waiter.backoff.after(0.0 if has_lasted else pause)
            log.warning("the database is lost (%s): trying again in %s s", explain(error), pause)
            waiter.pause(pause, "the database")


@contextmanager
def _comparing(
    db: str, has_indexes: threading.Event, peers: Sequence[str], state_blocks: int
) -> Iterator[tuple[Peers, Claims]]:
    """Meanwhile claims of the operator and hashes of peers are compared with what is recorded."""
    reader = open_reader(db)
    try:
        with (
            Claims(reader, has_indexes.is_set) as claims,
            Peers(peers, reader, has_indexes.is_set, state_blocks) as asked,
        ):
            yield asked, claims
    finally:
        reader.dispose()


def _run_until_stopped(follower: Follower) -> None:
    try:
        follower.run()
    except Stopped:
        log.info("stopped in the middle of a block: it will be read again")


class _Reporter:
    """A line now and then about where the loop is."""

    def __init__(self, rules: StateMachine, lease: Lease) -> None:
        self._rules = rules
        self._lease = lease
        self._due = time.monotonic()

    def committed(self, progress: Progress) -> None:
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


API_SETTINGS: Final = (
    "host",
    "port",
    "cors-origin",
    "network",
    "practice-node",
    "workers",
    "threads",
    "streams",
    "rate-limit",
    "limit-store",
    "trusted-proxy",
    "max-lag",
    "access-log",
)


def api_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of whatever starts the API."""
    for name in reversed(API_SETTINGS):
        command = config.setting(name)(command)
    return command


@click.command()
@config.setting("db")
@config.setting("node", help="A Hive node to ask whether an account exists; repeat for more.")
@api_settings
@config.setting("log-level")
@config.setting("log-format")
def serve(db: str | None, node: tuple[str, ...], log_level: str, log_format: str, **api: Any) -> None:
    """Serve the read API and the site. It cannot write; any number may run on one database.

    Example: peakedex serve --db peakedex.db --port 8080
    """
    from api.server import serve as serve_api
    from api.settings import FRESH_SECONDS, ApiSettings, default_frontend

    start_logging(log_level, log_format)
    settings = ApiSettings(
        database_url=require_db(db),
        frontend=default_frontend(),
        hive_nodes=node,
        cors_origins=api["cors_origin"],
        network=api["network"],
        threads=api["threads"],
        streams=api["streams"],
        rate_limit=None if api["rate_limit"] == "off" else api["rate_limit"],
        limit_store=api["limit_store"],
        trusted_proxies=api["trusted_proxy"],
        max_lag_blocks=api["max_lag"],
        access_log=api["access_log"] == "on",
        fresh_seconds=FRESH_SECONDS,
    )
    front = _front(api["practice_node"], api["network"])
    serve_api(settings, api["host"], api["port"], api["workers"], front)


def _front(node: str | None, network: str) -> Callable[[Any], Any]:
    """What stands before the API: on a devnet the door to its node, else nothing."""
    if node is None:
        return lambda app: app
    if network != DEVNET:
        raise ConfigurationError(
            f"--practice-node: there is nothing to practise on the network {network!r}: leave it out, "
            f"or say --network {DEVNET}"
        )
    from indexer.devnet.proxy import Door

    return lambda app: Door(app, node)


@click.command()
@config.setting("venue")
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("peer")
@config.setting("checkpoint-every")
@api_settings
@config.setting("log-level")
@config.setting("log-format")
def run(
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    peer: tuple[str, ...],
    checkpoint_every: int,
    log_level: str,
    log_format: str,
    **api: Any,
) -> None:
    """Production on one machine: the indexer and the API in one go, as two processes.

    Example: peakedex run --venue venues/example.toml --db peakedex.db
    """
    require_venue(venue)
    url = require_db(db)
    check_quorum(quorum, node)
    peers = _peer_urls(peer)
    family = Family()
    stop = stop_event()
    shared = {"db": url, "node": node, "log_level": log_level, "log_format": log_format}
    follows = {**shared, "venue": str(venue), "engine_node": engine_node, "quorum": quorum}
    follows |= {"peer": peers, "checkpoint_every": checkpoint_every}
    family.start(peakedex("follow", *as_options(follows)))
    family.start(peakedex("serve", *as_options({**shared, **api})))
    raise SystemExit(family.wait(stop))


def _peer_urls(texts: Sequence[str]) -> tuple[str, ...]:
    """The addresses of peers, or an error that says what is wrong with one."""
    try:
        return tuple(dict.fromkeys(map(parse_url, texts)))
    except PeerError as error:
        raise ConfigurationError(f"--peer: {error}") from error


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Parameters as a command line gives them: a list as an option repeated, None left out."""
    options: list[str] = []
    for name, value in values.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None:
                options += [f"--{name.replace('_', '-')}", str(each)]
    return options
