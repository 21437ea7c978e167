"""`peakedex payouts`: pays withdrawals and refunds out of escrow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from indexer import settings as config
from indexer.cli.payouts.cosign import cosign
from indexer.cli.payouts.operator import approve, pause, reconcile, resume, status
from indexer.cli.payouts.options import (
    SHARED_SETTINGS,
    PayoutOptions,
    read_checkpoint_key,
)
from indexer.cli.payouts.relay import relay
from indexer.cli.support.common import require_db, require_venue, start_logging
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.nodes import expected_chain
from indexer.cli.support.processes import interruptible_stop
from settlement.core.venue import Venue
from settlement.net.backoff import Stopped
from settlement.net.change_logger import ChangeLogger
from settlement.store import payout_schema
from settlement.store.database import open_reader
from settlement.store.lease import Lease
from settlement.store.read.position import has_complete_history, read_position
from settlement.store.read.venue import read_tokens

if TYPE_CHECKING:
    from settlement.payouts.chain.nodes import ChainNodes
    from settlement.payouts.policy import Policy
    from settlement.payouts.signing.authority import Finding, KeyRing, KeyVariable

RETRY_SECONDS: Final = 2.0

T = TypeVar("T")

log = logging.getLogger("peakedex.payouts")


class _Context(NamedTuple):
    """What a payouts process works with."""

    options: PayoutOptions
    venue: Venue
    db: str
    policy: Policy
    nodes: ChainNodes
    keys: KeyRing
    chain_id: str


@click.group(invoke_without_command=True)
@config.settings(
    *SHARED_SETTINGS,
    *("engine-node", "cosign-relay", "checkpoint-every", "checkpoint-key-env", "log-level", "log-format"),
)
@click.option(
    "--first-run",
    is_flag=True,
    help="Payouts of this venue were never signed before: hold nothing that another process may have signed.",
)
@click.option(
    "--hold",
    is_flag=True,
    help="Hold what may have been signed: after restoring a backup, if a payout limit or the lifetime has "
    "changed since.",
)
@click.pass_context
def payouts(context: click.Context, /, **options: Any) -> None:
    """Pay withdrawals and refunds out of escrow, each at most once. Runs beside `peakedex follow`.

    The keys are read from the environment variables that the venue file names. Without a subcommand it runs
    until Ctrl-C.

    Example: peakedex payouts --venue venues/example.toml --db peakedex.db
    """
    if context.invoked_subcommand is None:
        _run(PayoutOptions(**options))


def _run(options: PayoutOptions) -> None:
    """The payouts process."""
    from settlement.payouts.chain.nodes import ChainNodes
    from settlement.payouts.signing import hardening
    from settlement.payouts.signing.authority import KeyRing

    hardening.harden()
    start_logging(options.log_level, options.log_format)
    venue, db = require_venue(options.venue), require_db(options.db)
    policy = options.policy()
    with interruptible_stop() as stop:
        nodes = ChainNodes(options.node, options.engine_node, chain=expected_chain(options.chain_id))
        # First, so that keys leave the environment before anything waits for a node.
        variables, texts = _take_keys(venue, db, options.checkpoint_key_env)
        chain_id = _until_answered(lambda: options.resolve_chain_id(nodes), stop)
        keys = KeyRing(variables, texts, chain_id)
        context = _Context(options, venue, db, policy, nodes, keys, chain_id)
        with _checkpoints(context, texts):
            _pay(context, stop)


def _pay(context: _Context, stop: threading.Event) -> None:
    """Pay until the stop event is set."""
    from settlement.payouts.chain.nodes import ChainNodes
    from settlement.payouts.cosign.collector import SignatureCollector
    from settlement.payouts.cosign.relay_client import RelayClient
    from settlement.payouts.dependencies import Dependencies
    from settlement.payouts.escrow_watch import EscrowWatch
    from settlement.payouts.holds.pause import RestoreMark
    from settlement.payouts.payout_log import open_payout_log
    from settlement.payouts.runner import Runner

    venue, policy, nodes, keys = context.venue, context.policy, context.nodes, context.keys
    reader, writer = open_reader(context.db), open_payout_log(context.db)
    collector = SignatureCollector(reader, writer, venue, policy, keys.authorities, context.chain_id)
    relays = [RelayClient(url, collector) for url in context.options.cosign_relay]
    with Lease(writer, stop.set, table=payout_schema.lease, role="payouts process") as lease:
        findings = _FindingLog()
        dependencies = Dependencies(
            *(reader, writer, nodes, keys),
            guard=lease.check,
            refresh=lambda: findings.log(keys.check(nodes)),
            mark=RestoreMark.of_database(context.db),
        )
        runner = Runner(dependencies, venue, policy)
        findings.log(_until_answered(lambda: keys.check(nodes), stop))
        if not any(map(keys.can_sign, keys.authorities.accounts)):
            raise ConfigurationError("no key can sign for any escrow account: nothing can be paid")
        start = context.options
        _until_answered(lambda: runner.start(first_run=start.first_run, hold=start.hold), stop)
        log.info("payouts started, policy %s", policy.hash(venue)[:16])
        chain = expected_chain(context.options.chain_id)
        watched = ChainNodes(context.options.node, chain=chain)  # its own: clients are not thread-safe
        with ExitStack() as stack:
            stack.enter_context(EscrowWatch(reader, writer, watched, keys.authorities.accounts))
            for client in relays:
                stack.enter_context(client)
            runner.run(stop)
        lease.check()


def _checkpoints(context: _Context, texts: Mapping[str, str]) -> AbstractContextManager[object]:
    """Posts checkpoints while it is entered; does nothing where they are disabled or the key is missing."""
    from settlement.payouts.chain.nodes import ChainNodes
    from settlement.payouts.checkpoints import CheckpointPoster

    every = context.options.checkpoint_every
    key = read_checkpoint_key(texts, context.options.checkpoint_key_env, every)
    if key is None:
        return nullcontext()
    chain = expected_chain(context.options.chain_id)
    nodes = ChainNodes(context.options.node, chain=chain)  # its own: clients are not thread-safe
    return CheckpointPoster(open_reader(context.db), nodes, context.venue, key, context.chain_id, every)


def _take_keys(
    venue: Venue, db: str, checkpoint_variable: str
) -> tuple[list[KeyVariable], Mapping[str, str]]:
    """The tokens' key variables, and the values of these and the checkpoints', removed from the environment.

    Raises ConfigurationError for a database of another venue, or without the complete history.
    """
    from settlement.payouts.signing import hardening
    from settlement.payouts.signing.authority import KeyVariable, key_variable

    named = {token.symbol: token.key_env for token in venue.tokens}
    with open_reader(db).connect() as connection:
        position = read_position(connection)
        is_complete = position is None or has_complete_history(connection)
        tokens = read_tokens(connection)
    if position is None:
        raise ConfigurationError("the database is empty: start `peakedex follow` first")
    if position.venue_hash != venue.hash:
        raise ConfigurationError("the database belongs to another venue: use that venue's file")
    if not is_complete:  # when a claim was opened is an input of the plan, and a state text does not tell
        raise ConfigurationError(
            "the history of this database begins with a state text: its payments would differ from those of "
            "other payouts processes, and a claim could be paid twice. Use a database that was filled by "
            "`follow` or `replay` from the first block, a backup or a snapshot of one"
        )
    variables = [
        KeyVariable(token.symbol, token.escrow, key_variable(token.symbol, named.get(token.symbol)))
        for token in tokens
    ]
    return variables, hardening.take_variables([checkpoint_variable, *(one.variable for one in variables)])


def _until_answered(call: Callable[[], T], stop: threading.Event) -> T:
    """Retry a call until a node answers. Raises Stopped, and ConfigurationError for another chain."""
    from settlement.payouts.chain.nodes import ChainError, WrongChainError

    failures = ChangeLogger(log)
    while True:
        try:
            return call()
        except WrongChainError as error:
            raise ConfigurationError(error) from error
        except ChainError as error:
            failures.log(f"waiting: {error}")
        if stop.wait(RETRY_SECONDS):
            raise Stopped


class _FindingLog:
    """Logs findings about keys, each once until it changes."""

    def __init__(self) -> None:
        self._last: set[Finding] = set()

    def log(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if finding not in self._last:
                level = logging.INFO if finding.level == "ok" else logging.WARNING
                log.log(level, "%s", finding.text)
        self._last = set(findings)


for command in (pause, resume, approve, status, reconcile, cosign, relay):
    payouts.add_command(command)
