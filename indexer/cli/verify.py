"""`peakedex verify`: derive everything anew, and hold it against what somebody else says."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from indexer import settings as config
from indexer.audit.compare import (
    Comparison,
    Difference,
    Differs,
    Side,
    SideError,
    SilentError,
    UpToNow,
    compare_states,
)
from indexer.audit.subjects import DatabaseSide, open_side
from indexer.cli.support.common import json_option, require_venue, show, start_logging, tune_gc
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.nodes import check_quorum, open_nodes
from indexer.cli.support.processes import prompt_stop
from indexer.cli.support.progress import Bar
from indexer.follow.loop import Follower, Progress
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Source
from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state import InvariantError
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Stopped, Waiter


@click.command()
@config.setting("venue")
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of blocks*.jsonl and receipts*.jsonl; without it the blocks come from nodes.",
)
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@click.option(
    "--against",
    required=True,
    metavar="WHAT",
    help="A database's URL or file, an exchange's https://HOST, or a journal's file (plain, .gz or .zst).",
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
    against: str,
    until: int | None,
    log_level: str,
    as_json: bool,
) -> None:
    """Derive journal and state anew from the chain, and compare with a database, an API or a journal.

    Stops at the first line that differs, and shows both versions and the operation behind them. The indexer
    may go on meanwhile. Exit code 0: the same; 1: they differ, or the blocks or the other side are not what
    they claim to be; 2: usage, or the other side does not answer.

    Example: peakedex verify --venue venue.toml --archive recorded --against https://dex.example.org
    """
    start_logging(log_level)
    rules_venue = require_venue(venue)
    if archive is not None and _is_given("node"):
        raise click.UsageError("--archive and --node: give one of them")
    check_quorum(quorum, node)
    try:
        side = open_side(against, rules_venue.hash)
        rules = StateMachine(rules_venue)
        with prompt_stop() as stop:
            source = _source(rules, archive, node, engine_node, quorum, Waiter(stop))
            said = _Verification(rules, source, side, until, stop, quiet=as_json).run()
        if stop.is_set():
            raise CheckFailed(f"stopped at block {rules.next_block() - 1}: up to there nothing differs")
    except SilentError as error:
        raise ConfigurationError(f"--against: {error}") from None
    except SideError as error:
        raise CheckFailed(f"--against: {error}") from None
    except Differs as found:
        _tell(found.difference, as_json=as_json)
        raise SystemExit(CheckFailed.exit_code) from None
    show(said, as_json=as_json)


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _source(
    rules: StateMachine,
    archive: Path | None,
    nodes: tuple[str, ...],
    engine_nodes: tuple[str, ...],
    quorum: int | None,
    waiter: Waiter,
) -> Source:
    if archive is not None:
        return ArchiveSource(archive, rules.venue_filter)
    source, _ = open_nodes(nodes, engine_nodes, rules.venue_filter, waiter, quorum)
    return UpToNow(source)


class _Verification:
    """One run: the journal block by block, then the state at the block where it ended."""

    def __init__(
        self,
        rules: StateMachine,
        source: Source,
        side: Side,
        until: int | None,
        stop: threading.Event,
        *,
        quiet: bool,
    ) -> None:
        if until is not None and until < rules.next_block():
            raise ConfigurationError(f"--until {until}: the venue begins at block {rules.next_block()}")
        self._rules = rules
        self._source = source
        self._side = side
        self._until = until
        self._stop = stop
        self._quiet = quiet
        self._comparison = Comparison(rules)

    def run(self) -> dict[str, Any]:
        """What to show at the end. Raises Differs and SideError."""
        rules, side, started = self._rules, self._side, time.perf_counter()
        tune_gc()
        aim = side.last if self._until is None else min(self._until, side.last)
        with Bar(rules.next_block() - 1, quiet=self._quiet) as bar:
            self._derive(aim, bar)
            last = rules.next_block() - 1
            compared = ["journal"]
            if rules.state.header is not None and (theirs := side.state(last)) is not None:
                compare_states(rules, theirs, f"the state that {side.name} tells of this block")
                compared.append("state")
            if last == side.last and isinstance(side, DatabaseSide) and self._compare_rows(side, bar):
                compared.append("rows")
        seconds = time.perf_counter() - started
        last = rules.next_block() - 1
        return {
            "result": "same",
            "compared": compared if self._quiet else ", ".join(compared),
            "against": side.name,
            "their_last_block": side.last,
            "last_block": last,
            "ended_because": self._why(last),
            "blocks_with_lines": self._comparison.blocks,
            "seconds": round(seconds, 3),
            "journal_hash": rules.state.journal_hash,
            "state_hash": state_hash(rules.state),
        }

    def _derive(self, aim: int, bar: Bar) -> None:
        """Derive and compare up to a block, or as far as the source goes."""
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
            read=self._comparison.read,
            on_commit=compared,
        ).run(aim)

    def _compare_rows(self, side: DatabaseSide, bar: Bar) -> bool:
        """The rows of a database's newest block, which the indexer moves on: follow it there first.

        False where the source ends before. Raises Differs.
        """
        try:
            rows = side.rows()
        except InvariantError as error:
            last = self._rules.next_block() - 1
            behind = "the journal is the same: the rows that the API shows do not follow from it"
            raise Differs(Difference("rows", last, None, None, str(error), behind)) from None
        self._derive(rows.next_block() - 1, bar)
        if rows.state.header != self._rules.state.header:
            return False
        compare_states(self._rules, state_text(rows.state), "what the API shows of the newest block")
        return True

    def _why(self, last: int) -> str:
        if last == self._until:
            return "--until says so"
        if last >= self._side.last:
            return f"{self._side.name} ended there when it was asked"
        return f"the source holds no later block; {self._side.name} goes on to {self._side.last}"


def _tell(found: Difference, *, as_json: bool) -> None:
    if as_json:
        show({"result": "differs", **asdict(found)}, as_json=True)
        return
    line = "" if found.line is None else f", line {found.line}"
    click.echo(f"DIFFERS in a {found.what} of block {found.block}{line}")
    click.echo(f"derived  {'(none)' if found.ours is None else found.ours}")
    click.echo(f"theirs   {'(none)' if found.theirs is None else found.theirs}")
    click.echo(f"behind   {found.behind}")
