"""Loads docs/verify/verify_journal.py, and produces journals for it."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.journal.entries import BlockResult
from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue

FILE = Path(__file__).parents[3] / "docs" / "verify" / "verify_journal.py"


def load() -> Any:
    """Import the program from its file; it belongs to no package."""
    spec = importlib.util.spec_from_file_location("verify_journal", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKER = load()


@dataclass
class Replay:
    """Journal and final state of a replayed chain."""

    machine: StateMachine
    texts: list[str] = field(default_factory=list)
    fee_accounts: list[str] = field(default_factory=list)
    """Changes of the fee account as NAME@ID, for the option `--fee-account`."""

    def __post_init__(self) -> None:
        self._fee_account = self.machine.state.fee_account.name

    @property
    def journal(self) -> str:
        return "".join(self.texts)

    @property
    def block(self) -> str:
        """The last block, for the option `--block`."""
        header = self.machine.state.header
        assert header is not None
        return f"{header.number}:{header.block_id}"

    def record(self, batch: Sequence[BlockResult], _receipts: object = ()) -> None:
        self.texts += [block.text for block in batch if block.text]
        name = self.machine.state.fee_account.name
        if name != self._fee_account:
            self._fee_account = name
            updates = [line for line in self.texts[-1].splitlines() if line.endswith(" updateVenue")]
            self.fee_accounts.append(f"{name}@{updates[-1].split()[1]}")

    @property
    def state(self) -> str:
        return state_text(self.machine.state)

    @property
    def state_hash(self) -> str:
        return state_hash(self.machine.state)


def replay(archive: Path, venue: Venue) -> Replay:
    """Replay an archive without a database."""
    result = Replay(StateMachine(venue))
    Follower(
        result.machine, result, ArchiveSource(archive, result.machine.venue_filter), batch_blocks=1
    ).run()
    return result


def check(folder: Path, journal: str, venue_hash: str, **options: Any) -> list[str]:
    """Run the program on a journal and return its output lines. Raises JournalError."""
    given: dict[str, Any] = dict.fromkeys(("venue", "journal_hash", "state", "state_hash", "block"))
    given |= {"fee_account": [], "precision": [], "print_state": False} | options
    for name in ("venue", "state"):
        if given[name] is not None:
            (folder / name).write_text(given[name], newline="")
            given[name] = str(folder / name)
    path = folder / "journal"
    path.write_text(journal, newline="")
    return CHECKER.run(argparse.Namespace(journal=str(path), venue_hash=venue_hash, **given))  # type: ignore[no-any-return]
