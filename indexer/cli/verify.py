"""`peakedex verify`: re-derives journal and state from the chain, and compares them with another replica."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from indexer import settings as config
from indexer.audit.compare import (
    BoundedSource,
    JournalComparator,
    Mismatch,
    MismatchFound,
    Target,
    TargetError,
    TargetUnavailable,
    compare_states,
)
from indexer.audit.targets import DatabaseTarget, open_target
from indexer.chain.integrity.merkle import local_verifier
from indexer.cli.support.common import json_option, require_venue, show, start_logging
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.nodes import check_engine_nodes, check_quorum, expected_chain, open_nodes
from indexer.cli.support.processes import interruptible_stop
from indexer.cli.support.progress import BlockProgress
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Source
from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state import InvariantError
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Stopped, Waiter
from settlement.net.chain_id import ExpectedChain
from settlement.store.database import StoreError


@click.command()
@config.setting("venue")
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with blocks*.jsonl and receipts*.jsonl; blocks from nodes by default.",
)
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("trust-single-node")
@config.setting("chain-id")
@click.option(
    "--against",
    required=True,
    metavar="WHAT",
    help="A database (URL or file), an exchange's https://HOST, or a journal file (plain, .gz or .zst).",
)
@click.option("--until", type=click.IntRange(1), help="Stop after this block.")
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
    against: str,
    until: int | None,
    log_level: str,
    as_json: bool,
) -> None:
    """Verify a replica or exchange against the chain.

    Journal and state are re-derived from the chain and compared with a database, an API or a journal
    file. It stops at the first different line, and shows both versions and the operation that caused
    them, or says that the archive lacks the receipts of that block. The indexer can run meanwhile.
    Exit codes: 0 identical; 1 different, or invalid or missing data; 2 wrong usage, or no response.

    Example: peakedex verify --venue venue.toml --archive recorded --against https://dex.example.org
    """
    start_logging(log_level)
    rules_venue = require_venue(venue)
    if archive is not None and _is_given("node"):
        raise click.UsageError("--archive and --node cannot be combined")
    check_quorum(quorum, node)
    if archive is None:
        check_engine_nodes(engine_node, trust_single_node)
    chain = expected_chain(chain_id)
    source: Source | None = None
    try:
        side = open_target(against, rules_venue.hash)
        rules = StateMachine(rules_venue)
        with interruptible_stop() as stop:
            source = _source(rules, archive, node, engine_node, quorum, chain, Waiter(stop))
            result = _Verification(rules, source, side, until, stop, quiet=as_json).run()
        if stop.is_set():
            raise CheckFailed(f"stopped at block {rules.next_block() - 1} without differences so far")
    except TargetUnavailable as error:
        raise ConfigurationError(f"--against: {error}") from None
    except TargetError as error:
        raise CheckFailed(f"--against: {error}") from None
    except MismatchFound as found:
        _show_difference(found.mismatch, source, as_json=as_json)
        raise SystemExit(CheckFailed.exit_code) from None
    show(result, as_json=as_json)


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _source(
    rules: StateMachine,
    archive: Path | None,
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...],
    quorum: int | None,
    chain: ExpectedChain,
    waiter: Waiter,
) -> Source:
    if archive is not None:
        return ArchiveSource(archive, rules.venue_filter, verifier=local_verifier())
    source = open_nodes(nodes, engine_nodes, rules.venue_filter, waiter, quorum, chain)
    return BoundedSource(source)


class _Verification:
    """One comparison: the journal block by block, then the state at the last block."""

    def __init__(
        self,
        rules: StateMachine,
        source: Source,
        side: Target,
        until: int | None,
        stop: threading.Event,
        *,
        quiet: bool,
    ) -> None:
        if until is not None and until < rules.next_block():
            raise ConfigurationError(f"--until {until}: the venue starts at block {rules.next_block()}")
        self._rules = rules
        self._source = source
        self._side = side
        self._until = until
        self._stop = stop
        self._quiet = quiet
        self._comparison = JournalComparator(rules)

    def run(self) -> dict[str, Any]:
        """Compare, and return the facts to print. Raises MismatchFound and TargetError."""
        rules, side, started = self._rules, self._side, time.perf_counter()
        tune_gc()
        aim = side.last if self._until is None else min(self._until, side.last)
        with BlockProgress(rules.next_block() - 1, quiet=self._quiet) as bar:
            self._derive(aim, bar)
            last = rules.next_block() - 1
            compared = ["journal"]
            if rules.state.header is not None and (theirs := side.state(last)) is not None:
                compare_states(rules, theirs, f"the state of this block according to {side.name}")
                compared.append("state")
            if last == side.last and isinstance(side, DatabaseTarget):
                compared += self._compare_rows(side, bar)
        seconds = time.perf_counter() - started
        last = rules.next_block() - 1
        return {
            "result": "same",
            "compared": compared if self._quiet else ", ".join(compared),
            "against": side.name,
            "their_last_block": side.last,
            "last_block": last,
            "ended_because": self._why(last),
            **({"checked": self._source.checks} if isinstance(self._source, ArchiveSource) else {}),
            "blocks_with_lines": self._comparison.blocks,
            "seconds": round(seconds, 3),
            "journal_hash": rules.state.journal_hash,
            "state_hash": state_hash(rules.state),
        }

    def _derive(self, aim: int, bar: BlockProgress) -> None:
        """Derive and compare up to block `aim`, or the end of the source."""
        rules = self._rules
        if aim < rules.next_block():
            return

        def compared(progress: Progress) -> None:
            if self._stop.is_set():
                raise Stopped
            bar.reached(progress.last_block, aim)

        self._comparison.expect(self._side.blocks(rules.next_block(), aim))
        Follower(
            rules,
            self._comparison,
            self._source,
            batch_blocks=1,
            read=self._comparison.decode,
            on_batch=compared,
        ).run(aim)

    def _compare_rows(self, side: DatabaseTarget, bar: BlockProgress) -> list[str]:
        """Compare a database's rows, after deriving up to its newest block, which the indexer advances.

        Returns what was compared: nothing if the source ends before that block. Raises MismatchFound.
        """
        with self._rows_must_follow():
            rows = side.rows()
        self._derive(rows.next_block() - 1, bar)
        if rows.state.header != self._rules.state.header:
            return []
        compare_states(self._rules, state_text(rows.state), "what the API shows of the newest block")
        with self._rows_must_follow():
            return ["rows"] if side.check_rows() else ["current rows"]

    @contextmanager
    def _rows_must_follow(self) -> Iterator[None]:
        """Rows that are not those of the journal are a mismatch."""
        try:
            yield
        except (InvariantError, StoreError) as error:
            last = self._rules.next_block() - 1
            cause = "the journal is identical, but the rows that the API serves do not follow from it"
            raise MismatchFound(Mismatch("rows", last, None, None, str(error), cause)) from None

    def _why(self, last: int) -> str:
        if last == self._until:
            return "--until"
        if last >= self._side.last:
            return f"{self._side.name} ended there when the comparison began"
        return f"the source has no later block; {self._side.name} continues to {self._side.last}"


def _lacks_receipts(found: Mismatch, source: Source | None) -> bool:
    """Whether the block that differs may have moved tokens, but the archive has no receipts of it."""
    return isinstance(source, ArchiveSource) and source.last_without_receipts == found.block


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
