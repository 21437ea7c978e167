"""`peakedex payouts`: money out of escrow, and what the operator says and asks about it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click
from sqlalchemy import select

from indexer import config
from indexer.cli.common import json_option, require_db, require_venue, start_logging
from indexer.cli.errors import CheckFailed, ConfigurationError
from indexer.cli.payouts_cosign import cosign
from indexer.cli.processes import prompt_stop
from indexer.patience import Stopped
from settlement.store import schema
from settlement.store.database import open_reader
from settlement.store.lease import Lease
from settlement.store.queries.payouts import WITHDRAWAL, Claim
from settlement.store.queries.position import read_position
from settlement.venue import Venue, parse_venue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from settlement.payouts.authority import Finding, Signers, Wanted
    from settlement.payouts.chain import Nodes
    from settlement.payouts.policy import Policy
    from settlement.payouts.report import Difference

DEVNET: Final = "devnet"
LOOKS: Final = 4
"""A payment on its way is missing for a block or two: a shortage counts if it is there as often as this."""
LOOK_SECONDS: Final = 3.0
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
    from settlement.payouts.authority import Signers
    from settlement.payouts.chain import Nodes

    hardening.harden()
    start_logging(log_level, log_format)
    rules_venue, url = require_venue(venue), require_db(db)
    policy = read_policy(payout_expires_in, payout_limit, payout_hour_limit)
    with prompt_stop() as stop:
        nodes = Nodes(node, engine_node)
        wanted, keys = _keys(rules_venue, url)  # first: no key waits in the environment for a node
        chain = _until_answered(lambda: chain_id_of(chain_id, nodes), stop)
        signers = Signers(wanted, keys, chain)
        opened = _Opened(rules_venue, url, policy, nodes, signers, chain)
        _pay(opened, stop, cosign_listen, cosign_peer, first_run=first_run, hold=hold)


class _Opened(NamedTuple):
    """What a payouts process works with."""

    venue: Venue
    url: str
    policy: Policy
    nodes: Nodes
    signers: Signers
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
    from settlement.payouts.cosign import Desk
    from settlement.payouts.exchange import Exchange, ExchangeError
    from settlement.payouts.records import open_records
    from settlement.payouts.runner import Parts, Runner

    venue, url, policy, nodes, signers, chain_id = opened
    reader, writer = open_reader(url), open_records(url)
    desk = Desk(reader, writer, venue, policy, signers.authorities, chain_id)
    try:
        exchange = Exchange(desk, listen, peers)
    except ExchangeError as error:
        raise ConfigurationError(error) from error
    with Lease(writer, stop.set, row=schema.payout_lease, who="payouts process") as lease:
        show = _Findings()
        parts = Parts(
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


def _keys(venue: Venue, url: str) -> tuple[list[Wanted], Mapping[str, str]]:
    """The tokens, with the variables that hold their keys, and the variables' values. They are taken out of
    the environment. Raises ConfigurationError for a database of another venue."""
    from settlement.payouts import hardening
    from settlement.payouts.authority import Wanted, variable_of

    named = {token.symbol: token.key_env for token in venue.tokens}
    with open_reader(url).connect() as connection:
        position = read_position(connection)
        t = schema.tokens.c
        tokens = connection.execute(select(t.symbol, t.escrow).order_by(t.id)).all()
    if position is None:
        raise ConfigurationError("no indexer has worked on this database yet: start `peakedex follow` first")
    if position.venue_hash != venue.hash:
        raise ConfigurationError("the database belongs to another venue: use its own venue file")
    wanted = [Wanted(symbol, escrow, variable_of(symbol, named.get(symbol))) for symbol, escrow in tokens]
    return wanted, hardening.take(one.variable for one in wanted)


def read_policy(expires_in: int, limits: Iterable[str], hour_limits: Iterable[str]) -> Policy:
    """The policy that the settings make. Raises ConfigurationError."""
    from settlement.payouts.policy import Policy, PolicyError, read_limits

    try:
        return Policy(expires_in, read_limits(limits), read_limits(hour_limits))
    except PolicyError as error:
        raise ConfigurationError(error) from error


def chain_id_of(text: str | None, nodes: Nodes) -> str:
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


# -- what the operator says -----------------------------------------------------------------------


@payouts.command()
@config.setting("db")
def pause(db: str | None) -> None:
    """Sign nothing more and send nothing more, until `resume`. What was sent before may still be paid.

    Example: peakedex payouts pause --db peakedex.db
    """
    _switch(require_db(db), paused=True)
    click.echo("paused: what was sent already may still be paid")


@payouts.command()
@config.setting("db")
def resume(db: str | None) -> None:
    """Go on after `pause`.

    Example: peakedex payouts resume --db peakedex.db
    """
    _switch(require_db(db), paused=False)
    click.echo("going on")


def _switch(url: str, *, paused: bool) -> None:
    from settlement.payouts.records import read_settings, write_settings

    with _writing(url) as connection:
        write_settings(connection, read_settings(connection)._replace(paused=paused))


@payouts.command()
@click.argument("claim_id", metavar="ID")
@config.setting("db")
def approve(claim_id: str, db: str | None) -> None:
    """Let a payout go that is above a limit.

    Example: peakedex payouts approve 0f3c…e1 --db peakedex.db
    """
    from settlement.payouts.records import APPROVED, decide

    with _writing(require_db(db)) as connection:
        claim = _pending(connection, claim_id)
        decide(connection, claim.ref, APPROVED)
    click.echo(f"approved: {claim.quantity} {claim.symbol} to {claim.to}")


@payouts.command("return")
@click.argument("claim_id", metavar="ID")
@config.setting("db")
def return_(claim_id: str, db: str | None) -> None:
    """Give a withdrawal back that cannot be paid: prints what the operator signs for that, as JSON.

    It is not paid from then on (`approve` takes that back). Refused while a signed payment may still get
    into a block, for then it could be paid and given back.

    Example: peakedex payouts return 0f3c…e1 --db peakedex.db
    """
    from settlement.payouts.records import GIVEN_BACK, decide
    from settlement.payouts.report import live_transactions, return_operation

    with _writing(require_db(db)) as connection:
        claim = _pending(connection, claim_id)
        if claim.kind != WITHDRAWAL:
            raise CheckFailed(f"{claim_id} is a refund: it belongs to no account of the venue's")
        live = live_transactions(connection, claim)
        if live:
            raise CheckFailed(f"transaction {live[-1]} may still pay {claim_id}: wait until it has expired")
        decide(connection, claim.ref, GIVEN_BACK)
        venue = parse_venue(connection.execute(select(schema.cursor.c.venue_text)).scalar_one())
    click.echo(json.dumps(return_operation(venue, claim), ensure_ascii=False))


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """One transaction of the operator's."""
    from settlement.payouts.records import open_records

    open_reader(url).dispose()  # it must be there already
    writer = open_records(url)
    try:
        with writer.begin() as connection:
            yield connection
    finally:
        writer.dispose()


def _pending(connection: Connection, claim_id: str) -> Claim:
    from settlement.payouts.report import pending

    for claim in pending(connection):
        if claim.id == claim_id:
            return claim
    raise CheckFailed(f"no pending withdrawal or refund has the id {claim_id}: see `peakedex payouts status`")


# -- what the operator asks -----------------------------------------------------------------------


@payouts.command()
@config.setting("db")
@json_option
def status(db: str | None, as_json: bool) -> None:
    """How it is with each pending withdrawal and refund, and which outflows no claim explains.

    Example: peakedex payouts status --db peakedex.db
    """
    from settlement.payouts import report

    with open_reader(require_db(db)).connect() as connection:
        found = report.status(connection)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show_status(found)


def _show_status(found: dict[str, Any]) -> None:
    click.echo(f"block {found['block']}, {found['ts']}")
    click.echo(f"worked on by {found['process'] or 'nobody: start `peakedex payouts`'}")
    if found["paused"]:
        click.echo("PAUSED: `peakedex payouts resume` goes on")
    if found["hold_until"]:
        click.echo(f"older claims are held until {found['hold_until']}, by the chain's time")
    claims = found["claims"]
    click.echo(f"{len(claims)} pending")
    for claim in claims:
        state = claim["state"].replace("_", " ")
        if claim["state"] == "signed":
            state += f" ({claim['signatures']} of {claim['needed']})"
        click.echo(
            f"  {claim['id']}  {claim['amount']} {claim['symbol']} to {claim['to']}  {claim['kind']}  {state}"
        )
        for text in (claim["reason"], *(f"transaction {ident}" for ident in claim["transaction_ids"])):
            if text:
                click.echo(f"      {text}")
    outflows = found["unmatched_outflows"]
    if outflows:
        click.echo(f"newest {len(outflows)} outflows that no claim explains")
    for row in outflows:
        click.echo(
            f"  {row['id']}  {row['quantity']} {row['symbol']} from {row['escrow']} to {row['to']}  "
            f"block {row['block']}"
        )


@payouts.command()
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@json_option
def reconcile(db: str | None, node: tuple[str, ...], engine_node: tuple[str, ...], as_json: bool) -> None:
    """Compare what the ledger says of the escrow accounts with what they hold on both chains.

    The exit code is 1 if anything is missing in four looks over nine seconds (a payment may be on its way).

    Example: peakedex payouts reconcile --db peakedex.db
    """
    from settlement.payouts import report
    from settlement.payouts.chain import ChainError, Nodes

    nodes, reader = Nodes(node, engine_node), open_reader(require_db(db))
    rows: list[Difference] = []
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_SECONDS)
        try:
            with reader.connect() as connection:
                rows = report.reconcile(connection, nodes)
        except ChainError as error:
            raise CheckFailed(error) from error
        if all(row.surplus >= 0 for row in rows):
            break
    _show_differences(rows, as_json)
    missing = [row for row in rows if row.surplus < 0]
    if missing:
        raise CheckFailed(f"{len(missing)} balances are below what the ledger says")


def _show_differences(rows: Sequence[Difference], as_json: bool) -> None:
    if as_json:
        found = [
            {
                "escrow": row.escrow,
                "symbol": row.symbol,
                "ledger": row.show(row.ledger),
                "real": row.show(row.real),
                "surplus": row.show(row.surplus),
                "ok": row.surplus >= 0,
            }
            for row in rows
        ]
        click.echo(json.dumps({"ok": all(row.surplus >= 0 for row in rows), "balances": found}))
        return
    lines: list[tuple[str, ...]] = [("escrow", "symbol", "ledger", "real", "surplus")]
    lines += [(row.escrow, row.symbol, *map(row.show, (row.ledger, row.real, row.surplus))) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        texts = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(texts).rstrip())


payouts.add_command(cosign)
