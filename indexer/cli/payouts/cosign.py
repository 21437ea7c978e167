"""`peakedex payouts cosign`: exchanges signatures between operators as files.

No command here needs a key: the payouts process signs, and these commands carry its signatures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from indexer import settings as config
from indexer.cli.payouts.options import SHARED_SETTINGS, PayoutOptions
from indexer.cli.support.common import json_option, require_db, require_venue, show
from indexer.cli.support.errors import CheckFailed
from indexer.cli.support.nodes import expected_chain
from settlement.store.database import open_reader
from settlement.store.read.venue import read_tokens

if TYPE_CHECKING:
    from settlement.payouts.cosign.collector import SignatureCollector
    from settlement.payouts.cosign.message import Proposal, Verdict
    from settlement.payouts.payout_log import PayoutRecord

MAX_CHARACTERS: Final = 4_000_000


@click.group()
def cosign() -> None:
    """Exchange signatures with other operators as files."""


@cosign.command("list")
@config.settings(*SHARED_SETTINGS)
@json_option
def list_(as_json: bool, **options: Any) -> None:
    """List the payments signed here that are not settled, with the keys that have signed each.

    Example: peakedex payouts cosign list --venue venues/example.toml --db peakedex.db
    """
    collector = _collector(PayoutOptions(**options))
    for record in collector.open_records():
        _show_record(record, as_json)


def _show_record(record: PayoutRecord, as_json: bool) -> None:
    expires, signed = f"{record.transaction.expiration}Z", sorted(record.signatures)
    if as_json:
        values = {"id": record.id, "escrow": record.escrow, "expires": expires}
        show({**values, "weight": record.weight, "needed": record.needed, "signed_by": signed}, as_json=True)
        return
    click.echo(f"{record.id}  {record.escrow}  {record.weight} of {record.needed}, expires {expires}")
    for public in signed:
        click.echo(f"      signed by {public}")


@cosign.command()
@config.settings(*SHARED_SETTINGS)
@click.argument("file", type=click.Path(dir_okay=False, writable=True, allow_dash=True), default="-")
def export(file: str, **options: Any) -> None:
    """Write the payments that still lack signatures into FILE, one JSON object per line.

    Example: peakedex payouts cosign export --venue venues/example.toml --db peakedex.db signed.jsonl
    """
    collector = _collector(PayoutOptions(**options))
    records = [record for record in collector.open_records() if not record.is_complete]
    os.umask(0o077)
    with click.open_file(file, "w", encoding="ascii") as out:
        for record in records:
            out.write(json.dumps(collector.proposal(record).to_json()) + "\n")
    click.echo(f"payments that lack signatures: {len(records)}", err=True)


@cosign.command("import")
@config.settings(*SHARED_SETTINGS)
@click.argument("files", type=click.File("r", encoding="utf-8"), nargs=-1, required=True, metavar="FILE...")
@json_option
def import_(files: tuple[TextIO, ...], as_json: bool, **options: Any) -> None:
    """Import other operators' signatures from FILEs written by `export`, checked against our own ledger.

    The payouts process sends payments that are complete. The exit code is 1 if a payment is refused. `later`
    is not a failure: the payment is not signed here yet, so import it again in a minute.

    Example: peakedex payouts cosign import --venue venues/example.toml --db peakedex.db theirs.jsonl
    """
    collector = _collector(PayoutOptions(**options), writes=True)
    refused = 0
    for proposal in _proposals(files):
        verdict = collector.receive(proposal)
        refused += verdict.status == "refused"
        _show_verdict(proposal, verdict, as_json)
    if refused:
        raise CheckFailed(f"{refused} refused: ask the operator who wrote the file; sign nothing by hand")


def _show_verdict(proposal: Proposal, verdict: Verdict, as_json: bool) -> None:
    values = {"id": proposal.transaction.id, "escrow": proposal.escrow}
    if as_json:
        show({**values, **asdict(verdict)}, as_json=True)
        return
    click.echo(f"{proposal.transaction.id}  {verdict.status} ({verdict.code}): {verdict.reason}")


def _proposals(files: Iterable[TextIO]) -> Iterator[Proposal]:
    from settlement.payouts.cosign.message import Proposal, ProposalError

    for file in files:
        try:
            text = file.read(MAX_CHARACTERS + 1)
        except UnicodeDecodeError as error:
            raise CheckFailed(f"{file.name} is not a signature file: not UTF-8 text") from error
        if len(text) > MAX_CHARACTERS:
            raise CheckFailed(f"{file.name} is not a signature file: longer than {MAX_CHARACTERS} characters")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                yield Proposal.of_json(json.loads(line))
            except ProposalError as error:
                raise CheckFailed(f"{file.name}, line {number}: {error}") from error
            except (ValueError, RecursionError) as error:
                raise CheckFailed(f"{file.name}, line {number}: not JSON") from error


def _collector(options: PayoutOptions, *, writes: bool = False) -> SignatureCollector:
    """The collector of this database, with the accounts' current authorities."""
    from settlement.payouts.chain.nodes import ChainError, ChainNodes
    from settlement.payouts.cosign.collector import SignatureCollector
    from settlement.payouts.payout_log import open_payout_log
    from settlement.payouts.signing.authority import Authorities

    venue, url = require_venue(options.venue), require_db(options.db)
    policy = options.policy()
    reader = open_reader(url)
    nodes = ChainNodes(options.node, chain=expected_chain(options.chain_id))
    with reader.connect() as connection:
        authorities = Authorities(token.escrow for token in read_tokens(connection))
    try:
        chain_id = options.resolve_chain_id(nodes)
        authorities.refresh(nodes)
    except ChainError as error:
        raise CheckFailed(error) from error
    return SignatureCollector(
        reader, open_payout_log(url) if writes else reader, venue, policy, authorities, chain_id
    )
