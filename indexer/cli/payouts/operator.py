"""Operator commands of `peakedex payouts`: pause, approve, status, reconcile. None needs a key."""

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
from indexer.cli.support.nodes import expected_chain
from settlement.store.database import open_reader
from settlement.store.read.payouts import PayoutClaim
from settlement.store.read.venue import read_tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from settlement.payouts.report import Difference

# -- decisions -----------------------------------------------------------------------


@click.command()
@config.setting("db")
def pause(db: str | None) -> None:
    """Stop signing and sending payments until `resume`. Payments sent before may still be executed.

    Example: peakedex payouts pause --db peakedex.db
    """
    from settlement.store.payout_pause import BY_OPERATOR, set_pause

    with _deciding(require_db(db)) as connection:
        set_pause(connection, BY_OPERATOR)
    click.echo("Payouts paused. Payments sent before may still be executed.")


@click.command()
@config.setting("db")
def resume(db: str | None) -> None:
    """Resume payouts after `pause`.

    Example: peakedex payouts resume --db peakedex.db
    """
    from settlement.store.payout_pause import RUNNING, set_pause

    with _deciding(require_db(db)) as connection:
        set_pause(connection, RUNNING)
    click.echo("Payouts resumed.")


@click.command()
@click.argument("what", metavar="ID|TOKEN")
@config.setting("db")
def approve(what: str, db: str | None) -> None:
    """Approve a payout that exceeds a limit, or was refused too often; or a token that was listed later.

    Before you approve a token, check that its escrow account is yours and holds the token.

    \b
    Example: peakedex payouts approve 0f3c…e1 --db peakedex.db
             peakedex payouts approve SWAP.BTC --db peakedex.db
    """
    from settlement.payouts.chain.chain_time import latest_time
    from settlement.payouts.payout_log import approve_claim, approve_token

    with _deciding(require_db(db)) as connection:
        tokens = {token.symbol: token for token in read_tokens(connection)}
        if what in tokens:
            token = tokens[what]
            approve_token(connection, token.id)
            approved = f"payouts of {what} from {token.escrow}"
        else:
            claim = _pending(connection, what)
            approve_claim(connection, claim.ref, latest_time(connection, 0))
            approved = f"{claim.quantity} {claim.symbol} to {claim.to}"
    click.echo(f"Approved: {approved}")


@contextmanager
def _deciding(url: str) -> Iterator[Connection]:
    """A write transaction with a decision of the operator, which is counted: see `payouts.holds.pause`."""
    from settlement.payouts.holds.pause import RESTORED_TEXT, RestoreMark, pause_if_restored
    from settlement.payouts.payout_log import open_payout_log
    from settlement.store.payout_pause import count_decision, read_mark

    open_reader(url).dispose()  # raises if there is no database
    writer, file = open_payout_log(url), RestoreMark.of_database(url)
    try:
        with writer.begin() as connection:
            if pause_if_restored(connection, file):
                click.echo(f"Note: {RESTORED_TEXT}", err=True)
            yield connection
            count_decision(connection)
            mark = read_mark(connection)
        file.update_existing(mark)
    finally:
        writer.dispose()


def _pending(connection: Connection, claim_id: str) -> PayoutClaim:
    from settlement.payouts.report import pending

    for claim in pending(connection):
        if claim.id == claim_id:
            return claim
    raise CheckFailed(f"no pending withdrawal or refund has the id {claim_id}: see `peakedex payouts status`")


# -- reports -----------------------------------------------------------------------


@click.command()
@config.setting("db")
@json_option
def status(db: str | None, as_json: bool) -> None:
    """Show pending withdrawals and refunds, and outflows that match no claim.

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
    click.echo(f"process: {found['process'] or 'none, start `peakedex payouts`'}")
    if found["paused_reason"]:
        click.echo(f"PAUSED: {found['paused_reason']}")
    if found["hold_until"]:
        click.echo(f"older claims are held until {found['hold_until']} (chain time)")
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
        click.echo(f"{len(outflows)} newest outflows that match no claim")
    for row in outflows:
        click.echo(
            f"  {row['id']}  {row['amount']} {row['symbol']} from {row['escrow']} to {row['to']}  "
            f"block {row['block']}"
        )


@click.command()
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("chain-id")
@json_option
def reconcile(
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    chain_id: str | None,
    as_json: bool,
) -> None:
    """Compare the ledger's holdings of each token with its escrow account's real balance.

    The exit code is 1 if a balance is too low in four readings over nine seconds (a payment may be pending).

    Example: peakedex payouts reconcile --db peakedex.db
    """
    from indexer.ops.doctor.escrow import ROUND_SECONDS, ROUNDS
    from settlement.payouts import report
    from settlement.payouts.chain.nodes import ChainError, ChainNodes

    nodes = ChainNodes(node, engine_node, chain=expected_chain(chain_id))
    reader = open_reader(require_db(db))
    rows: list[Difference] = []
    for reading in range(ROUNDS):
        if reading:
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
        raise CheckFailed(f"{len(missing)} balances are below the ledger's holdings")


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
