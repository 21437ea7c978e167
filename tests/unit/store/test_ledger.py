"""The ledger's cost of a block is that of its lines, whatever else it holds."""

from __future__ import annotations

from cProfile import Profile

import pytest

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.store.write.ledger.apply import apply_entry
from settlement.store.write.ledger.ledger import Ledger, LedgerError

START = 1_700_000_000
FEW, MANY = 10, 20_000


def entry_after(ledger: Ledger, seconds: int, *body: lines.Line) -> lines.JournalEntry:
    """The next block's entry, with these lines."""
    number, time = (
        (1, START) if ledger.header is None else (ledger.header.number + 1, ledger.header.timestamp)
    )
    header = BlockHeader(number, f"{number:040x}", time + seconds)
    text = lines.block_text(header, map(lines.encode, body))
    return lines.JournalEntry(header, text, lines.chain_hash(ledger.journal_hash, text))


def ledger_with(grants: int) -> Ledger:
    """A ledger with a token, a pair, and grants that end one a second."""
    ledger = Ledger("0" * 64)
    ledger.rules = lines.Rules(200, "fees")
    body: list[lines.Line] = [
        lines.Token("PEK", 8, "dex.pek", 1),
        lines.Token("HBD", 3, "dex.hbd", 1),
        lines.Pair("PEK/HBD", 3, 0, 0, 20, "maker", "cancel_resting", "active"),
    ]
    body += [
        lines.Grant(f"user{n}", "posting", START + 100 + n, 50, "PEK/HBD", "PEK:5") for n in range(grants)
    ]
    apply_entry(ledger, entry_after(ledger, 0, *body))
    return ledger


def calls(ledger: Ledger, entry: lines.JournalEntry) -> int:
    """Function calls that a block takes."""
    profile = Profile()
    profile.runcall(apply_entry, ledger, entry)
    return sum(each.callcount for each in profile.getstats())


def test_a_block_costs_the_same_with_many_grants() -> None:
    deposit = lines.Deposit("00ff", "alice", "PEK", 5, "dex.pek")
    few, many = ledger_with(FEW), ledger_with(MANY)
    assert calls(few, entry_after(few, 3, deposit)) == calls(many, entry_after(many, 3, deposit))


def test_a_grant_that_ends_costs_the_same_among_many() -> None:
    few, many = ledger_with(FEW), ledger_with(MANY)
    deposit = lines.Deposit("00ff", "alice", "PEK", 5, "dex.pek")
    costs = [calls(each, entry_after(each, 100, deposit)) for each in (few, many)]
    assert costs[1] <= 2 * costs[0]
    assert len(many.grants) == MANY - 1
    assert ("user0", "posting") not in many.grants


def test_a_grant_of_an_ended_one_s_account_is_new() -> None:
    """The old one's timer is gone with it."""
    ledger = ledger_with(1)
    apply_entry(ledger, entry_after(ledger, 3, lines.Timer("user0", "posting", START + 5_000)))
    again = lines.Grant("user0", "posting", START + 9_000, 50, "PEK/HBD", "PEK:5")
    facts = apply_entry(ledger, entry_after(ledger, 97, again))
    assert [line for line, _ in facts.others] == [
        lines.Timer("user0", "posting", None),
        lines.Revoke("user0", "posting"),
        again,
    ]
    assert not ledger.timers
    assert list(ledger.grants) == [("user0", "posting")]


def test_a_replaced_grant_keeps_its_timer() -> None:
    ledger = ledger_with(1)
    apply_entry(ledger, entry_after(ledger, 3, lines.Timer("user0", "posting", START + 50)))
    again = lines.Grant("user0", "posting", START + 9_000, 50, "PEK/HBD", "PEK:5")
    apply_entry(ledger, entry_after(ledger, 3, again))
    assert list(ledger.timers) == [("user0", "posting")]
    apply_entry(ledger, entry_after(ledger, 200, lines.Timeout("user0", "posting")))
    assert not ledger.timers
    assert list(ledger.grants) == [("user0", "posting")]


def test_a_close_must_release_what_is_locked() -> None:
    ledger = ledger_with(1)
    apply_entry(ledger, entry_after(ledger, 3, lines.Deposit("00ff", "alice", "PEK", 500_000_000, "dex.pek")))
    order = lines.Order(
        id="00aa",
        seq=1,
        account="alice",
        pair="PEK/HBD",
        side="sell",
        type="limit",
        price=5,
        quantity=300_000_000,
        expiry=START + 99,
        maker_fee_bps=0,
        taker_fee_bps=20,
        settle="venue",
        stop_price=None,
        stop_limit=None,
    )
    apply_entry(ledger, entry_after(ledger, 3, lines.Accept("00aa", "alice", "active", "sell", None), order))
    with pytest.raises(LedgerError, match=r"00aa locks 300000000, but releases 5"):
        apply_entry(ledger, entry_after(ledger, 3, lines.Close("00aa", "cancelled", 5)))
