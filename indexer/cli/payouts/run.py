"""`peakedex payouts`: money out of escrow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click

from indexer import settings as config
from indexer.cli.payouts.cosign import cosign
from indexer.cli.payouts.operator import approve, give_back, pause, reconcile, resume, status
from indexer.cli.support.common import require_db, require_venue, start_logging
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.processes import prompt_stop
from settlement.core.venue import Venue
from settlement.net.backoff import Stopped
from settlement.store import payout_schema
from settlement.store.database import open_reader
from settlement.store.lease import Lease
from settlement.store.read.position import read_position
from settlement.store.read.venue import read_tokens

if TYPE_CHECKING:
    from settlement.payouts.authority import Finding, KeyRing, KeyVariable
    from settlement.payouts.chain import ChainNodes
    from settlement.payouts.policy import Policy

DEVNET: Final = "devnet"
RETRY_SECONDS: Final = 2.0

T = TypeVar("T")

log = logging.getLogger("peakedex.payouts")


@click.group(invoke_without_command=True)
@config.setting("venue")
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("chain-id")
@config.setting("payout-expires-in")
@config.setting("payout-limit")
@config.setting("payout-hour-limit")
@config.setting("cosign-listen")
@config.setting("cosign-peer")
@config.setting("checkpoint-every")
@config.setting("checkpoint-key-env")
@click.option(
    "--first-run",
    is_flag=True,
    help="Nobody has ever signed payouts of this venue: hold nothing for what another may have signed.",
)
@click.option(
    "--hold",
    is_flag=True,
    help="After a restored backup, if a limit or time has changed since: hold what may have been signed.",
)
@config.setting("log-level")
@config.setting("log-format")
@click.pass_context
def payouts(
    context: click.Context,
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    chain_id: str | None,
    payout_expires_in: int,
    payout_limit: tuple[str, ...],
    payout_hour_limit: tuple[str, ...],
    cosign_listen: str | None,
    cosign_peer: tuple[str, ...],
    checkpoint_every: int,
    checkpoint_key_env: str,
    first_run: bool,
    hold: bool,
    log_level: str,
    log_format: str,
) -> None:
    """Pay withdrawals and refunds out of escrow: each once, whatever happens. Beside `peakedex follow`.

    The keys come from the environment variables that the venue file names. Without a command it runs until
    Ctrl-C.

    Example: peakedex payouts --venue venues/example.toml --db peakedex.db
    """
    if context.invoked_subcommand is not None:
        return
    from settlement.payouts import hardening
    from settlement.payouts.authority import KeyRing
    from settlement.payouts.chain import ChainNodes

    hardening.harden()
    start_logging(log_level, log_format)
    rules_venue, url = require_venue(venue), require_db(db)
    policy = read_policy(payout_expires_in, payout_limit, payout_hour_limit)
    with prompt_stop() as stop:
        nodes = ChainNodes(node, engine_node)
        # First: no key waits in the environment for a node.
        wanted, keys = _keys(rules_venue, url, checkpoint_key_env)
        chain = _until_answered(lambda: chain_id_of(chain_id, nodes), stop)
        signers = KeyRing(wanted, keys, chain)
        opened = _Opened(rules_venue, url, policy, nodes, signers, chain)
        with _checkpoints(opened, ChainNodes(node), keys, checkpoint_key_env, checkpoint_every):
            _pay(opened, stop, cosign_listen, cosign_peer, first_run=first_run, hold=hold)


class _Opened(NamedTuple):
    """What a payouts process works with."""

    venue: Venue
    url: str
    policy: Policy
    nodes: ChainNodes
    signers: KeyRing
    chain_id: str


def _pay(
    opened: _Opened,
    stop: threading.Event,
    listen: str | None,
    peers: tuple[str, ...],
    *,
    first_run: bool,
    hold: bool,
) -> None:
    """Pay until the stop event is set."""
    from settlement.payouts.cosign.collector import SignatureCollector
    from settlement.payouts.cosign.http import Exchange, ExchangeError
    from settlement.payouts.payout_log import open_payout_log
    from settlement.payouts.runner import Dependencies, Runner

    venue, url, policy, nodes, signers, chain_id = opened
    reader, writer = open_reader(url), open_payout_log(url)
    collector = SignatureCollector(reader, writer, venue, policy, signers.authorities, chain_id)
    try:
        exchange = Exchange(collector, listen, peers)
    except ExchangeError as error:
        raise ConfigurationError(error) from error
    with Lease(writer, stop.set, table=payout_schema.lease, role="payouts process") as lease:
        show = _Findings()
        parts = Dependencies(
            reader, writer, nodes, signers, guard=lease.check, refresh=lambda: show(signers.check(nodes))
        )
        runner = Runner(parts, venue, policy)
        show(_until_answered(lambda: signers.check(nodes), stop))
        if not any(map(signers.can_sign, signers.authorities.escrows)):
            raise ConfigurationError("no key signs for any escrow account: nothing can be paid")
        _until_answered(lambda: runner.start(first_run=first_run, hold=hold), stop)
        log.info("paying, policy %s", policy.hash(venue)[:16])
        with exchange:
            runner.run(stop)
        lease.check()


def _checkpoints(
    opened: _Opened, nodes: ChainNodes, keys: Mapping[str, str], variable: str, every: int
) -> AbstractContextManager[object]:
    """What posts checkpoints while it is entered; nothing where none are asked for, or no key is there."""
    from settlement.payouts.checkpoints import CheckpointPoster
    from settlement.payouts.signing import Key, SigningError

    if not every or variable not in keys:
        log.info("no checkpoints are posted: %s", "checkpoint-every is 0" if not every else f"no {variable}")
        return nullcontext()
    try:
        key = Key(keys[variable])
    except SigningError as error:
        log.warning("no checkpoints are posted: %s holds no key: %s", variable, error)
        return nullcontext()
    return CheckpointPoster(open_reader(opened.url), nodes, opened.venue, key, opened.chain_id, every)


def _keys(venue: Venue, url: str, operator_variable: str) -> tuple[list[KeyVariable], Mapping[str, str]]:
    """The tokens, with the variables that hold their keys, and the variables' values. They are taken out of
    the environment. Raises ConfigurationError for a database of another venue."""
    from settlement.payouts import hardening
    from settlement.payouts.authority import KeyVariable, key_variable

    named = {token.symbol: token.key_env for token in venue.tokens}
    with open_reader(url).connect() as connection:
        position = read_position(connection)
        tokens = read_tokens(connection)
    if position is None:
        raise ConfigurationError("no indexer has worked on this database yet: start `peakedex follow` first")
    if position.venue_hash != venue.hash:
        raise ConfigurationError("the database belongs to another venue: use its own venue file")
    wanted = [
        KeyVariable(token.symbol, token.escrow, key_variable(token.symbol, named.get(token.symbol)))
        for token in tokens
    ]
    return wanted, hardening.take([operator_variable, *(one.variable for one in wanted)])


def read_policy(expires_in: int, limits: Iterable[str], hour_limits: Iterable[str]) -> Policy:
    """The policy that the settings make. Raises ConfigurationError."""
    from settlement.payouts.policy import Policy, PolicyError, read_limits

    try:
        return Policy(expires_in, read_limits(limits), read_limits(hour_limits))
    except PolicyError as error:
        raise ConfigurationError(error) from error


def chain_id_of(text: str | None, nodes: ChainNodes) -> str:
    """The chain id to sign for: given, a devnet's own word, or the main network's. Raises ChainError, and
    ConfigurationError."""
    from settlement.payouts.signing import MAINNET, SigningError, check_chain_id

    if text == DEVNET:
        return nodes.hive[0].devnet_chain_id()
    try:
        return check_chain_id(text or MAINNET)
    except SigningError as error:
        raise ConfigurationError(f"--chain-id: {error}") from error


def _until_answered(ask: Callable[[], T], stop: threading.Event) -> T:
    """What nodes answer, as soon as one does. Raises Stopped."""
    from settlement.payouts.chain import ChainError

    said = ""
    while True:
        try:
            return ask()
        except ChainError as error:
            if str(error) != said:
                log.warning("waiting: %s", error)
            said = str(error)
        if stop.wait(RETRY_SECONDS):
            raise Stopped


class _Findings:
    """Logs what is found of keys, each finding once."""

    def __init__(self) -> None:
        self._said: set[Finding] = set()

    def __call__(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if finding not in self._said:
                level = logging.INFO if finding.level == "ok" else logging.WARNING
                log.log(level, "%s", finding.text)
        self._said = set(findings)


for command in (pause, resume, approve, give_back, status, reconcile, cosign):
    payouts.add_command(command)
