"""`peakedex prove`: Merkle proofs that balances are included in the venue's liabilities."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.past_block import newest_block, recorded_block
from settlement.core.liability_proof import (
    Inclusion,
    Proof,
    ProofError,
    Roots,
    check_proof,
    proof_text,
    read_proof,
    roots_of,
    roots_text,
)
from settlement.core.parsing.names import is_account
from settlement.store.database import open_reader
from settlement.store.read.audit.liabilities import (
    MerkleSumTrees,
    is_day_over,
    read_last_block,
    read_root_block,
)


@click.command()
@click.argument("account", required=False)
@config.setting("db")
@click.option("--token", metavar="SYMBOL", help="Only this token; all tokens of the account by default.")
@click.option("--block", type=config.BLOCK_NUMBER, help="A past block; the newest one by default.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="With --roots: the last block of a day (UTC).")
@click.option("--roots", "only_roots", is_flag=True, help="Print the Merkle roots and totals of all tokens.")
@click.option(
    "--check",
    "to_check",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Check a proof file (- for standard input), without database or network.",
)
@json_option
def prove(
    account: str | None,
    db: str | None,
    token: str | None,
    block: int | None,
    day: datetime | None,
    only_roots: bool,
    to_check: Path | None,
    as_json: bool,
) -> None:
    """Prove that balances are included in the liabilities.

    Prints the proof for ACCOUNT, or checks a proof, or prints the Merkle roots.

    The exit code of a check is 0 if the proof is valid, else 1. Then compare the total with your own balance,
    and the root with the root that other replicas have for the same block.

    Example: peakedex prove alice --db peakedex.db > proof.txt && peakedex prove --check proof.txt
    """
    if (account is not None) + only_roots + (to_check is not None) != 1:
        raise click.UsageError("use exactly one of ACCOUNT, --roots and --check FILE")
    if day is not None and (not only_roots or block is not None):
        raise click.UsageError("--day requires --roots, and cannot be combined with --block")
    if to_check is not None:
        if token is not None or block is not None:
            raise click.UsageError("--check cannot be combined with --token or --block")
        _check(to_check, as_json=as_json)
        return
    if account is not None and not is_account(account):
        raise click.UsageError(f"{account!r} is not a Hive account name")
    with open_reader(require_db(db)).connect() as connection:
        at = _block_of_day(connection, day.date()) if day else recorded_block(connection, block)
        if account is None:
            _show_roots(_roots(connection, at, token), as_json=as_json)
        else:
            _show_proof(_proof(connection, at, account, token), as_json=as_json)


def _block_of_day(connection: Connection, day: date) -> int:
    at = newest_block(connection)
    if not is_day_over(at, day):
        raise ConfigurationError(f"--day {day}: the chain has not reached the end of that day")
    return read_last_block(connection, at, day)


def _trees_at(connection: Connection, block: int) -> tuple[str, MerkleSumTrees]:
    at = newest_block(connection)
    return at.venue_hash, MerkleSumTrees(connection, at.venue_hash, None if block == at.block else block)


def _roots(connection: Connection, block: int, token: str | None) -> Roots:
    venue_hash, trees = _trees_at(connection, block)
    chosen = [tree for tree in trees.all() if token in (None, tree.symbol)]
    return roots_of(venue_hash, *read_root_block(connection, block), chosen)


def _proof(connection: Connection, block: int, account: str, token: str | None) -> Proof:
    venue_hash, trees = _trees_at(connection, block)
    root_block = read_root_block(connection, block)
    chosen = [tree for tree in trees.of(account) if token in (None, tree.symbol)]
    found = tuple(filter(None, (tree.prove(account, *root_block) for tree in chosen)))
    if not found:
        held = "no balance" if token is None else f"no {token}"
        raise CheckFailed(f"{account} has {held} at the end of block {block}, so there is nothing to prove")
    return Proof(venue_hash, *root_block, account, found)


def _show_proof(proof: Proof, *, as_json: bool) -> None:
    if as_json:
        show({**_facts(proof), "text": proof_text(proof)}, as_json=True)
    else:
        click.echo(proof_text(proof), nl=False)


def _show_roots(roots: Roots, *, as_json: bool) -> None:
    if not as_json:
        click.echo(roots_text(roots), nl=False)
        return
    tokens = [
        {"symbol": symbol, "leaves": leaves, "total": root.total, "root": root.hash}
        for symbol, leaves, root in roots.tokens
    ]
    head = {"venue_hash": roots.venue_hash, "block": roots.block, "block_id": roots.block_id}
    show({**head, "tokens": tokens, "text": roots_text(roots)}, as_json=True)


def _check(path: Path, *, as_json: bool) -> None:
    try:
        with click.open_file(str(path), encoding="utf-8") as file:
            proof = read_proof(file.read())
        check_proof(proof)
    except (ProofError, UnicodeDecodeError) as error:
        raise CheckFailed(f"{path}: invalid proof: {error}") from None
    if as_json:
        show({"holds": True, **_facts(proof)}, as_json=True)
        return
    for token in proof.tokens:
        click.echo(
            f"{proof.account} has {token.total} of {token.root.total} {token.symbol} "
            f"at block {proof.block}, root {token.root.hash}"
        )


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        "account": proof.account,
        "venue_hash": proof.venue_hash,
        "block": proof.block,
        "block_id": proof.block_id,
        "tokens": [_token(token) for token in proof.tokens],
    }


def _token(token: Inclusion) -> dict[str, Any]:
    return {
        "symbol": token.symbol,
        "total": token.total,
        "place": token.place,
        "leaves": token.leaves,
        "owed": token.root.total,
        "root": token.root.hash,
    }
