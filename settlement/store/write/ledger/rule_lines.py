"""Lines of the operator: tokens, pairs, settings, upgrades and checkpoints."""

from __future__ import annotations

from settlement.core.journal import lines
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger


def token(ledger: Ledger, line: lines.Token, facts: BlockFacts) -> None:
    facts.others.append((line, ledger.add_token(line)))
    facts.rules_changed = True


def pair(ledger: Ledger, line: lines.Pair, facts: BlockFacts) -> None:
    facts.others.append((line, ledger.add_pair(line)))
    facts.rules_changed = True


def rules(ledger: Ledger, line: lines.Rules, facts: BlockFacts) -> None:
    ledger.set_rules(line)
    facts.others.append((line, None))
    facts.rules_changed = True


def upgrade(ledger: Ledger, line: lines.Upgrade, facts: BlockFacts) -> None:
    ledger.upgrade = None if line.block is None else line
    facts.others.append((line, None))
    facts.rules_changed = True


def checkpoint(ledger: Ledger, line: lines.Checkpoint, facts: BlockFacts) -> None:
    facts.others.append((line, ledger.accepted))
