"""Loads docs/verify/verify_journal.py, and produces journals for it."""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.journal.lines import iso_time
from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.store.write.projector import Batch

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
    """Journal and final state of a replayed chain; a sink of applied blocks."""

    machine: StateMachine
    texts: list[str] = field(default_factory=list)

    @property
    def venue(self) -> Venue:
        return self.machine.state.venue

    @property
    def journal(self) -> str:
        return "".join(self.texts)

    @property
    def block(self) -> str:
        """The last block, for the option `--block`."""
        header = self.machine.state.header
        assert header is not None
        return f"{header.number},{header.block_id},{iso_time(header.timestamp)}"

    def project(self, batch: Batch) -> None:
        self.texts += [entry.text for entry in batch.entries if entry.text]

    @property
    def state(self) -> str:
        return state_text(self.machine.state)

    @property
    def state_hash(self) -> str:
        return state_hash(self.machine.state)


def replay(archive: Path, venue: Venue) -> Replay:
    """Replay an archive without a database."""
    result = Replay(StateMachine(venue))
    source = ArchiveSource(archive, result.machine.venue_filter)
    Follower(result.machine, result, source, batch_blocks=1).run()
    return result


def check(folder: Path, journal: str, venue: Venue, **options: Any) -> list[str]:
    """Run the program on a journal and return its output lines. Raises JournalError."""
    names = ("venue_hash", "journal_hash", "from_state", "state", "state_hash", "block")
    given: dict[str, Any] = dict.fromkeys(names)
    given |= {"print_state": False} | options
    folder.mkdir(exist_ok=True)
    for name in ("from_state", "state"):
        if given[name] is not None:
            (folder / name).write_text(given[name], newline="")
            given[name] = str(folder / name)
    (folder / "venue").write_text(venue.canonical(), newline="")
    (folder / "journal").write_text(journal, newline="")
    paths = {"journal": str(folder / "journal"), "venue": str(folder / "venue")}
    said: list[str] = CHECKER.run(argparse.Namespace(**paths, **given))
    return said
