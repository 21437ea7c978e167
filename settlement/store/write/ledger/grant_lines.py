"""Lines of grants and cancel-all timers."""

from __future__ import annotations

from typing import Final

from settlement.core.journal import lines
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.views import GrantView, TimerView

_ABOVE_ALL: Final = 2**63
"""Above every number of a row."""


def end_grants(ledger: Ledger, facts: BlockFacts) -> None:
    """Grants that have ended vanish without a line, and their timers with them.

    Their rows are closed in the next block with lines; until then `until` says that they have ended.
    """
    for grant in ledger.grants_by_end.up_to((facts.header.timestamp, _ABOVE_ALL)):
        _remove_grant(ledger, grant, facts)


def _remove_grant(ledger: Ledger, grant: GrantView, facts: BlockFacts) -> None:
    account, to = grant.line.account, grant.line.to
    timer = ledger.timers.pop((account, to), None)
    if timer is not None:
        facts.others.append((lines.Timer(account, to, None), timer))
    ledger.remove_grant(grant)
    facts.others.append((lines.Revoke(account, to), grant))


def grant(ledger: Ledger, line: lines.Grant, facts: BlockFacts) -> None:
    """A new grant; one for the same account replaces the old one and keeps its timer."""
    old = ledger.grants.get((line.account, line.to))
    if old is not None:
        ledger.remove_grant(old)
        facts.others.append((lines.Revoke(line.account, line.to), old))
    view = GrantView(ledger.next("grants"), line, facts.number)
    ledger.add_grant(view)
    facts.others.append((line, view))


def revoke(ledger: Ledger, line: lines.Revoke, facts: BlockFacts) -> None:
    _remove_grant(ledger, ledger.grants[line.account, line.to], facts)


def timer(ledger: Ledger, line: lines.Timer, facts: BlockFacts) -> None:
    key = (line.account, line.by)
    old = ledger.timers.pop(key, None)
    if old is not None:
        facts.others.append((lines.Timer(line.account, line.by, None), old))
    if line.due is not None:
        view = ledger.timers[key] = TimerView(ledger.next("timers"), line, facts.number)
        facts.others.append((line, view))


def timeout(ledger: Ledger, line: lines.Timeout, facts: BlockFacts) -> None:
    ledger.forget_context()
    facts.others.append((line, ledger.timers.pop((line.account, line.by))))
