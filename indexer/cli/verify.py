"""`peakedex verify`: re-derives journal and state from the chain, and compares them with another replica."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from indexer import settings as config
from indexer.audit.compare import (
    BoundedSource,
    Mismatch,
    MismatchFound,
    Target,
    TargetError,
    TargetUnavailable,
)
from indexer.audit.sampling import BlockSampler
from indexer.audit.targets import EvidenceTarget, open_target
from indexer.cli.support.archives import open_archive, open_evidence
from indexer.cli.support.common import is_given, json_option, require_venue, show, start_logging
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.node_checks import NodeChecks
from indexer.cli.support.nodes import check_engine_nodes, check_quorum, expected_chain, open_nodes
from indexer.cli.support.processes import interruptible_stop
from indexer.cli.support.progress import BlockProgress
from indexer.cli.support.verification import Verification, Verified
from indexer.sources.archive import ArchiveSource
from indexer.sources.evidence import Evidence
from indexer.sources.evidence_source import EvidenceSource
from indexer.sources.source import Source
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.net.backoff import Waiter
from settlement.store.write.snapshot import CheckpointClaim


@click.command()
@config.setting("venue")
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with recorded blocks, or of `peakedex fetch`; blocks from nodes by default.",
)
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("trust-single-node")
@config.setting("chain-id")
@click.option(
    "--against",
    metavar="WHAT",
    help="A database (URL or file), an exchange's https://HOST, published evidence (its folder), or a "
    "journal file (plain, .gz or .zst). Default: the evidence in --archive.",
)
@click.option("--until", type=config.BLOCK_NUMBER, help="Stop after this block.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Read N random blocks of which evidence holds only the headers from --node, and compare receipts "
    "of N blocks with --engine-node.",
)
@click.option("--seed", type=int, help="Choose the sample by this number: for tests.")
@config.setting("log-level", default="warning")
@json_option
def verify(
    venue: Path | None,
    archive: Path | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    trust_single_node: bool,
    chain_id: str | None,
    against: str | None,
    until: int | None,
    sample: int | None,
    seed: int | None,
    log_level: str,
    as_json: bool,
) -> None:
    """Verify a replica, an exchange or published evidence against the chain.

    Journal and state are re-derived from the chain and compared with a database, an API, published evidence
    or a journal file, and with the operator's newest checkpoint. It stops at the first different line, and
    shows both versions and the operation that caused them, or says that the archive lacks the receipts of
    that block. With --archive, each --node is asked for the last block, the checkpoint and the sample. The
    indexer can run meanwhile.
    Exit codes: 0 identical; 1 different, or invalid or missing data; 2 wrong usage, or no response.

    Example: peakedex verify --venue venue.toml --archive recorded --against https://dex.example.org
    """
    start_logging(log_level)
    rules_venue = require_venue(venue)
    check_quorum(quorum, node)
    if archive is None:
        check_engine_nodes(engine_node, trust_single_node)
    chain = expected_chain(chain_id)
    evidence = None if archive is None else open_evidence(archive, rules_venue.hash)
    asked = node if archive is not None and is_given("node") else ()
    sampler = _sampler(sample, seed, evidence, asked)
    source: Source | None = None
    try:
        side = _target(against, evidence, rules_venue)
        rules = StateMachine(rules_venue)
        with interruptible_stop() as stop, BlockProgress(rules.next_block() - 1, quiet=as_json) as bar:
            if archive is None:
                nodes = open_nodes(node, engine_node, rules.venue_filter, Waiter(stop), quorum, chain)
                source = BoundedSource(nodes)
            else:
                source = open_archive(archive, evidence, rules.venue_filter, sampler)
            claim = _claim(side, evidence, rules_venue)
            verified = Verification(
                rules, source, side, until, stop, expected_claim=claim, on_block=bar.reached
            ).run()
            checks = NodeChecks(asked, chain, rules_venue, rules.state.header, verified.checkpoint)
            confirmed = checks.run() if asked or evidence is not None else {}
            confirmed |= checks.sample(sampler, engine_node if is_given("engine_node") else ())
            found = _facts(verified, rules, side, source, as_json=as_json) | confirmed
        if stop.is_set():
            raise CheckFailed(f"stopped at block {rules.next_block() - 1} without differences so far")
    except TargetUnavailable as error:
        raise ConfigurationError(f"--against: {error}") from None
    except TargetError as error:
        raise CheckFailed(f"--against: {error}") from None
    except MismatchFound as error:
        _show_difference(error.mismatch, source, as_json=as_json)
        raise SystemExit(CheckFailed.exit_code) from None
    show(found, as_json=as_json)


def _sampler(
    size: int | None, seed: int | None, evidence: Evidence | None, nodes: tuple[str, ...]
) -> BlockSampler | None:
    if size is None:
        return None
    if evidence is None:
        raise click.UsageError("--sample is for evidence of `peakedex fetch`: give its folder with --archive")
    if not nodes:
        raise click.UsageError("--sample needs Hive nodes to read whole blocks from: add --node URL")
    return BlockSampler(size, seed)


def _target(against: str | None, evidence: Evidence | None, venue: Venue) -> Target:
    if against is not None:
        return open_target(against, venue.hash)
    if evidence is None:
        raise click.UsageError("nothing to compare with: use --against")
    return EvidenceTarget(evidence, venue.hash)


def _claim(side: Target, evidence: Evidence | None, venue: Venue) -> CheckpointClaim | None:
    """The newest checkpoint that published evidence names; None for none, and without evidence."""
    published = side if evidence is None else EvidenceTarget(evidence, venue.hash)
    return published.newest_checkpoint() if isinstance(published, EvidenceTarget) else None


def _facts(
    verified: Verified, rules: StateMachine, side: Target, source: Source, *, as_json: bool
) -> dict[str, Any]:
    """The facts to print."""
    checks = source.checks if isinstance(source, ArchiveSource | EvidenceSource) else None
    return {
        "result": "same",
        "compared": verified.compared if as_json else ", ".join(verified.compared),
        "against": side.name,
        "their_last_block": side.last,
        "last_block": verified.last_block,
        "ended_because": verified.ended_because,
        **({} if checks is None else {"checked": checks}),
        "blocks_with_lines": verified.blocks_with_lines,
        "seconds": round(verified.seconds, 3),
        "journal_hash": rules.state.journal_hash,
        "state_hash": state_hash(rules.state),
    }


def _lacks_receipts(found: Mismatch, source: Source | None) -> bool:
    """Whether the block that differs may have moved tokens, but the archive has no receipts of it."""
    return isinstance(source, ArchiveSource | EvidenceSource) and found.block in source.without_receipts


def _show_difference(found: Mismatch, source: Source | None, *, as_json: bool) -> None:
    incomplete = _lacks_receipts(found, source)
    if as_json:
        show({"result": "incomplete" if incomplete else "differs", **asdict(found)}, as_json=True)
        return
    line = "" if found.line is None else f", line {found.line}"
    what = "the rows" if found.what == "rows" else f"a {found.what}"
    if incomplete:
        click.echo(f"INCOMPLETE: the archive has no receipts of block {found.block}")
        click.echo(f"needed by   {found.cause}")
        click.echo("cure        add the receipts of this block (`peakedex archive record`), and verify again")
        click.echo(f"differs in  {what}{line}")
    else:
        click.echo(f"DIFFERS in {what} of block {found.block}{line}")
    width = 12 if incomplete else 9
    click.echo(f"{'derived':{width}}{'(none)' if found.ours is None else found.ours}")
    click.echo(f"{'theirs':{width}}{'(none)' if found.theirs is None else found.theirs}")
    if not incomplete:
        click.echo(f"{'cause':{width}}{found.cause}")
