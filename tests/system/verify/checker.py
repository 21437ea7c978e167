"""docs/verify/verify_journal.py as a module, and journals for it."""

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
    """The program, loaded from its file: it is no part of any package."""
    spec = importlib.util.spec_from_file_location("verify_journal", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKER = load()


@dataclass
class Told:
    """What the rules made of a chain: the journal, block by block, and the end."""

    rules: StateMachine
    texts: list[str] = field(default_factory=list)
    fee_accounts: list[str] = field(default_factory=list)
    """Where the operator named another fee account: NAME@ID, for the option `--fee-account`."""

    def __post_init__(self) -> None:
        self._fee_account = self.rules.state.fee_account.name

    @property
    def journal(self) -> str:
        return "".join(self.texts)

    @property
    def block(self) -> str:
        """The last block, as the option `--block` has it."""
        header = self.rules.state.header
        assert header is not None
        return f"{header.number}:{header.block_id}"

    def record(self, batch: Sequence[BlockResult], _receipts: object = ()) -> None:
        self.texts += [block.text for block in batch if block.text]
        name = self.rules.state.fee_account.name
        if name != self._fee_account:
            self._fee_account = name
            updates = [line for line in self.texts[-1].splitlines() if line.endswith(" updateVenue")]
            self.fee_accounts.append(f"{name}@{updates[-1].split()[1]}")

    @property
    def state(self) -> str:
        return state_text(self.rules.state)

    @property
    def state_hash(self) -> str:
        return state_hash(self.rules.state)


def tell(archive: Path, venue: Venue) -> Told:
    """Replay an archive without a database."""
    told = Told(StateMachine(venue))
    Follower(told.rules, told, ArchiveSource(archive, told.rules.venue_filter), batch_blocks=1).run()
    return told


def check(folder: Path, journal: str, venue_hash: str, **options: Any) -> list[str]:
    """Run the program on a journal; its lines. Texts are given as such, and become files. Raises Wrong."""
    given: dict[str, Any] = dict.fromkeys(("venue", "journal_hash", "state", "state_hash", "block"))
    given |= {"fee_account": [], "precision": [], "print_state": False} | options
    for name in ("venue", "state"):
        if given[name] is not None:
            (folder / name).write_text(given[name], newline="")
            given[name] = str(folder / name)
    path = folder / "journal"
    path.write_text(journal, newline="")
    return CHECKER.run(argparse.Namespace(journal=str(path), venue_hash=venue_hash, **given))  # type: ignore[no-any-return]
