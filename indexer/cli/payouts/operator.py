"""What an operator says to `peakedex payouts`, and asks of it: no command here needs a key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db
from indexer.cli.support.errors import CheckFailed
from settlement.core.journal.text import iso_time
from settlement.core.venue import parse_venue
from settlement.store.database import open_reader
from settlement.store.read.payouts import WITHDRAWAL, PayoutClaim
from settlement.store.read.venue import read_venue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from settlement.payouts.report import Difference

# -- what the operator says -----------------------------------------------------------------------


@click.command()
@config.setting("db")
def pause(db: str | None) -> None:
    """Sign nothing more and send nothing more, until `resume`. What was sent before may still be paid.

    Example: peakedex payouts pause --db peakedex.db
    """
    _switch(require_db(db), paused=True)
    click.echo("paused: what was sent already may still be paid")


@click.command()
@config.setting("db")
def resume(db: str | None) -> None:
    """Go on after `pause`.

    Example: peakedex payouts resume --db peakedex.db
    """
    _switch(require_db(db), paused=False)
    click.echo("going on")


def _switch(url: str, *, paused: bool) -> None:
    from settlement.payouts.payout_log import read_settings, write_settings

    with _writing(url) as connection:
        write_settings(connection, read_settings(connection)._replace(paused=paused))


@click.command()
@click.argument("claim_id", metavar="ID")
@config.setting("db")
def approve(claim_id: str, db: str | None) -> None:
    """Let a payout go that is above a limit.

    Example: peakedex payouts approve 0f3c…e1 --db peakedex.db
    """
    from settlement.payouts.payout_log import APPROVED, record_decision

    with _writing(require_db(db)) as connection:
        claim = _pending(connection, claim_id)
        record_decision(connection, claim.ref, APPROVED)
    click.echo(f"approved: {claim.quantity} {claim.symbol} to {claim.to}")


@click.command("return")
@click.argument("claim_id", metavar="ID")
@config.setting("db")
@config.setting("node")
def give_back(claim_id: str, db: str | None, node: tuple[str, ...]) -> None:
    """Give a withdrawal back that cannot be paid. The first time stops it (`approve` takes that back).

    An hour of the chain later nothing that was ever signed for it can get into a block any more: then the
    same command prints what the operator signs, as JSON. Until then the exit code is 1.

    Example: peakedex payouts return 0f3c…e1 --db peakedex.db
    """
    from settlement.payouts import returns
    from settlement.payouts.chain import ChainError, ChainNodes

    url = require_db(db)
    with open_reader(url).connect() as connection:
        _pending_withdrawal(connection, claim_id)
    try:
        head_time = ChainNodes(node).head_time()  # before we write: nobody waits for nodes with us
    except ChainError as error:
        raise CheckFailed(f"not stopped, for nobody tells the chain's time: {error}") from error
    with _writing(url) as connection:
        claim = _pending_withdrawal(connection, claim_id)
        returns.start_return(connection, claim, head_time)
        stop = returns.pending_returns(connection)[claim.ref]
        venue = parse_venue(read_venue(connection).text)
    if not stop.is_safe:
        raise CheckFailed(
            f"{claim_id} is stopped: what was signed before could still pay it until "
            f"{iso_time(stop.safe_from)}Z, so run this again once the indexer has read blocks of that time"
        )
    click.echo(json.dumps(returns.return_operation(venue, claim), ensure_ascii=False))


def _pending_withdrawal(connection: Connection, claim_id: str) -> PayoutClaim:
    claim = _pending(connection, claim_id)
    if claim.kind != WITHDRAWAL:
        raise CheckFailed(f"{claim_id} is a refund: it belongs to no account of the venue's")
    return claim


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """One transaction of the operator's."""
    from settlement.payouts.payout_log import open_payout_log

    open_reader(url).dispose()  # it must be there already
    writer = open_payout_log(url)
    try:
        with writer.begin() as connection:
            yield connection
    finally:
        writer.dispose()


def _pending(connection: Connection, claim_id: str) -> PayoutClaim:
    from settlement.payouts.report import pending

    for claim in pending(connection):
        if claim.id == claim_id:
            return claim
    raise CheckFailed(f"no pending withdrawal or refund has the id {claim_id}: see `peakedex payouts status`")


# -- what the operator asks -----------------------------------------------------------------------


@click.command()
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


@click.command()
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@json_option
def reconcile(db: str | None, node: tuple[str, ...], engine_node: tuple[str, ...], as_json: bool) -> None:
    """Compare what the ledger says of the escrow accounts with what they hold on both chains.

    The exit code is 1 if anything is missing in four looks over nine seconds (a payment may be on its way).

    Example: peakedex payouts reconcile --db peakedex.db
    """
    from indexer.ops.doctor.escrow import ROUND_SECONDS, ROUNDS
    from settlement.payouts import report
    from settlement.payouts.chain import ChainError, ChainNodes

    nodes, reader = ChainNodes(node, engine_node), open_reader(require_db(db))
    rows: list[Difference] = []
    for look in range(ROUNDS):
        if look:
            time.sleep(ROUND_SECONDS)
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
