"""Applies one block's journal lines to the ledger.

The ledger shares no code with the rules but the line types, the mark and a heap, so that two bookkeepers must
agree: after each batch the projector compares its totals with the state machine's, at intervals the whole
state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.journal.codec import LineError
from settlement.store.write.ledger import grant_lines, order_lines, payment_lines, rule_lines
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger, LedgerError

MAX_FIRED: Final = 1_000
"""A pair in which so many stops fire in a block is left over for the next one (section 7)."""


def apply_entry(ledger: Ledger, entry: lines.JournalEntry) -> BlockFacts:
    """Take in one block with lines. Raises LedgerError."""
    header = entry.header
    if lines.chain_hash(ledger.journal_hash, entry.text) != entry.hash:
        raise LedgerError(f"block {header.number}: its journal hash does not continue the one before")
    facts = BlockFacts(header, header.number)
    ledger.header = header
    ledger.journal_hash = entry.hash
    grant_lines.end_grants(ledger, facts)
    ledger.forget_context()
    ledger.fired.clear()
    handlers = _HANDLERS
    line: object = None
    try:
        for line in entry.lines():
            handlers[type(line)](ledger, line, facts)
    except KeyError as error:
        raise LedgerError(f"block {header.number}: {line} refers to {error}, which is not there") from None
    except LineError as error:
        raise LedgerError(f"block {header.number}: {error}") from None
    ledger.left_over = sorted(pair for pair, count in ledger.fired.items() if count >= MAX_FIRED)
    return facts


def pass_block(ledger: Ledger, header: BlockHeader) -> None:
    """Take in a block without lines."""
    ledger.header = header
    ledger.left_over = []


_HANDLERS: Final[dict[type, Callable[[Ledger, Any, BlockFacts], None]]] = {
    lines.Accept: order_lines.accept,
    lines.Reject: order_lines.reject,
    lines.Order: order_lines.order,
    lines.Stop: order_lines.stop,
    lines.Trigger: order_lines.trigger,
    lines.Trade: order_lines.trade,
    lines.Close: order_lines.close,
    lines.Expire: order_lines.expire,
    lines.Timeout: grant_lines.timeout,
    lines.Timer: grant_lines.timer,
    lines.Grant: grant_lines.grant,
    lines.Revoke: grant_lines.revoke,
    lines.Deposit: payment_lines.deposit,
    lines.Refund: payment_lines.refund,
    lines.Ignore: payment_lines.ignore,
    lines.Withdraw: payment_lines.withdraw,
    lines.Returning: payment_lines.returning,
    lines.Return: payment_lines.returned,
    lines.Paid: payment_lines.paid,
    lines.Outflow: payment_lines.outflow,
    lines.Internal: payment_lines.internal,
    lines.Token: rule_lines.token,
    lines.Pair: rule_lines.pair,
    lines.Rules: rule_lines.rules,
    lines.Checkpoint: rule_lines.checkpoint,
    lines.Upgrade: rule_lines.upgrade,
}
