"""Deposits, withdrawals, transfers and liabilities, compared with the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.read.accounts.balances import read_all_balances
from settlement.store.read.accounts.deposits import list_deposits
from settlement.store.read.accounts.transfers import TransferRow, list_transfers
from settlement.store.read.accounts.withdrawals import WithdrawalFilter, list_withdrawals
from settlement.store.read.audit.blocks import read_block
from settlement.store.read.audit.journal import read_journal
from settlement.store.read.audit.solvency import list_outflows, list_refunds_due, read_solvency
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account
from settlement.store.write.projector import make_read_indexes
from tests.system.store.chains import lively, replay


@dataclass
class ReplayedChain:
    """A replayed chain: database, state machine, and the words of its journal lines with their blocks."""

    connection: Connection
    rules: StateMachine
    lines: list[tuple[int, list[str]]]

    def of(self, *kinds: str) -> list[tuple[int, list[str]]]:
        """The lines of these kinds, newest first."""
        return [(block, words) for block, words in self.lines if words[0] in kinds][::-1]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplayedChain]:
    rules, database = replay(lively().write(tmp_path_factory.mktemp("chain")), batch=7)
    make_read_indexes(database)
    with database.connect() as connection:
        lines = [
            (block.number, line.split(" "))
            for block in read_journal(connection)
            for line in block.lines.splitlines()
        ]
        yield ReplayedChain(connection, rules, lines)


def everything(listed: Callable[[int | None, int], Page[Any]], limit: int = 7) -> list[Any]:
    """All pages of a list, each of at most so many rows."""
    rows: list[Any] = []
    before = None
    while True:
        page = listed(before, limit)
        assert len(page.rows) <= limit
        rows.extend(page.rows)
        if page.next_key is None:
            return rows
        before = page.next_key


def accounts(chain: ReplayedChain) -> dict[str, int]:
    return {name: number for number, name in chain.connection.execute(select(schema.accounts))}


def test_deposits_of_an_account_are_those_of_the_journal(chain: ReplayedChain) -> None:
    paid = {words[1]: words[2] for _, words in chain.of("paid")}
    arrived = chain.of("deposit", "refund", "ignore")
    everyone = {words[2] for _, words in arrived}
    assert len(everyone) > 3
    met = set()
    for name in everyone:
        rows = everything(partial(list_deposits, chain.connection, name))
        expected = []
        for block, (kind, id_, account, *_, symbol, amount, escrow) in arrived:
            if account == name:
                payer = paid.get(id_) if kind == "refund" else None
                status = None if kind != "refund" else schema.PAID if payer else schema.PENDING
                units = (int(amount), None) if kind == "deposit" else (None, amount)
                expected.append((block, id_, symbol, *units, escrow, status, payer))
                met.add(status)
        assert [
            (row.block, row.id, row.symbol, row.amount, row.quantity, row.escrow, row.status, row.paid_by)
            for row in rows
        ] == expected
        assert [row.n for row in rows] == sorted((row.n for row in rows), reverse=True)
        assert {row.account for row in rows} == {name}
    assert met == {None, schema.PENDING, schema.PAID}
    assert list_deposits(chain.connection, "nobody", None, 10) == Page([], None)


def withdrawn(chain: ReplayedChain) -> list[tuple[Any, ...]]:
    """Account, status and all else that the journal says of withdrawals, newest first."""
    ends: dict[str, tuple[int, int, str | None]] = {}
    for block, words in chain.of("paid", "return"):
        status = schema.PAID if words[0] == "paid" else schema.RETURNED
        ends[words[1]] = (status, block, words[2] if words[0] == "paid" else None)
    rows = []
    for block, (_, id_, account, symbol, amount, to, memo) in chain.of("withdraw"):
        status, closed, payer = ends.get(id_, (schema.PENDING, None, None))
        kept_memo = None if memo == "-" else memo
        rows.append((account, status, id_, symbol, int(amount), to, kept_memo, payer, block, closed))
    return rows


@pytest.mark.parametrize("scan_limit", [1, 5, 10_000])
def test_withdrawals_by_account_and_status(chain: ReplayedChain, scan_limit: int) -> None:
    every = withdrawn(chain)
    numbers = accounts(chain)
    assert {row[1] for row in every} == {schema.PENDING, schema.PAID, schema.RETURNED}
    for name in (None, *sorted({row[0] for row in every})):
        for status in (None, schema.PENDING, schema.PAID, schema.RETURNED):
            wanted = WithdrawalFilter(None if name is None else numbers[name], status)
            rows = everything(partial(list_withdrawals, chain.connection, wanted, scan_limit=scan_limit))
            assert [
                (
                    *(row.account, row.status, row.id, row.symbol, row.amount, row.to, row.memo),
                    *(row.paid_by, row.block, row.closed_block),
                )
                for row in rows
            ] == [row for row in every if name in (None, row[0]) and status in (None, row[1])]
            for row in rows:
                assert (row.closed_timestamp is None) == (row.closed_block is None)
                assert row.timestamp <= (row.closed_timestamp or row.timestamp)


def test_transfers_of_an_account_add_up_to_its_balances(chain: ReplayedChain) -> None:
    """Each transfer is listed once, newest first; together the accounts list all transfers."""
    seen: set[int] = set()
    for name, number in accounts(chain).items():
        rows: list[TransferRow] = everything(partial(list_transfers, chain.connection, number), 50)
        assert [row.n for row in rows] == sorted({row.n for row in rows}, reverse=True)
        assert all(name in (row.debit, row.credit) for row in rows)
        seen.update(row.n for row in rows)
        sums: dict[tuple[str, int], int] = {}
        for row in rows:
            for side, bucket, change in (
                (row.debit, row.debit_bucket, -row.amount),
                (row.credit, row.credit_bucket, row.amount),
            ):
                if side == name:
                    sums[row.symbol, bucket] = sums.get((row.symbol, bucket), 0) + change
        account = chain.rules.state.accounts.get(name)
        wallets = {} if account is None else account.balances  # who only signed may be unknown to the ledger
        assert {key: units for key, units in sums.items() if units} == {
            (symbol, bucket): units
            for symbol, wallet in wallets.items()
            for bucket, units in enumerate(wallet.buckets)
            if units
        }
    assert len(seen) == chain.connection.scalar(select(func.count()).select_from(schema.transfers))


def test_what_is_owed_is_the_sum_of_all_balances(chain: ReplayedChain) -> None:
    state = chain.rules.state
    sums: dict[str, list[int]] = {symbol: [0, 0, 0] for symbol in state.tokens}
    for holder in read_all_balances(chain.connection):
        for bucket, units in enumerate(holder[3:]):
            sums[holder.symbol][bucket] += units
    rows = read_solvency(chain.connection)
    assert [row.symbol for row in rows] == sorted(state.tokens)
    for row in rows:
        token = state.tokens[row.symbol]
        assert [row.available, row.locked, row.withdrawing] == sums[row.symbol]
        assert sum(sums[row.symbol]) == token.liabilities_units
        assert row.holdings == token.holdings
        assert (row.precision, row.escrow) == (token.precision, token.escrow)
    assert any(row.locked for row in rows)
    assert any(row.withdrawing for row in rows)


def test_outflows_and_refunds_due_are_those_of_the_journal(chain: ReplayedChain) -> None:
    outflows = [(block, *words[1:]) for block, words in chain.of("outflow")]
    rows = list_outflows(chain.connection, 1000)
    assert [
        (row.block, row.id, row.escrow, row.chain, row.symbol, row.amount, row.to) for row in rows
    ] == outflows
    assert list_outflows(chain.connection, 2) == rows[:2]
    due = [
        (refund.id, refund.account, refund.symbol, refund.quantity, refund.escrow)
        for refund in chain.rules.state.refunds.by_id.values()
    ]
    found = list_refunds_due(chain.connection, 1000)
    assert [(row.id, row.account, row.symbol, row.quantity, row.escrow) for row in found] == due
    assert list_refunds_due(chain.connection, 1) == found[:1]
    assert due


def test_a_block_by_its_number(chain: ReplayedChain) -> None:
    for block in read_journal(chain.connection):
        row = read_block(chain.connection, block.number)
        assert row is not None
        assert (row.journal_hash, row.lines) == (block.journal_hash, block.lines)
    assert read_block(chain.connection, 10**9) is None
    assert find_account(chain.connection, "nobody") is None
