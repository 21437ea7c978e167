"""State text → ledger, for a replica that starts from a state text alone (protocol, section 11)."""

from __future__ import annotations

from settlement.core.accounts import AVAILABLE, ESCROW, LOCKED, WITHDRAWING
from settlement.core.journal import lines, state_lines
from settlement.core.parsing.amounts import read_integer_text
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.order_lines import open_stop
from settlement.store.write.ledger.views import (
    GrantView,
    IntentView,
    OrderView,
    RefundView,
    TimerView,
    WithdrawalView,
    read_amounts,
)


def load_state(text: str) -> tuple[Ledger, BlockFacts]:
    """The ledger that a valid state text describes, and facts as if its block had made all of it.

    The text must be of a block, not of the state before the first one.
    """
    head, venue, block, journal, *body = text.split("\n")[:-1]
    assert head.startswith("peakedex-state ")
    ledger = Ledger(venue.removeprefix("venue "))
    header = lines.block_header(block)
    ledger.header, ledger.journal_hash = header, journal.removeprefix("journal ")
    facts = BlockFacts(header, header.number, rules_changed=True)
    for row in body:
        _read(ledger, state_lines.parse(row), facts)
    for token in ledger.tokens.values():
        if any(token.totals):
            escrow = ledger.balance(ledger.number_of(token.line.escrow), token)
            escrow.buckets[ESCROW] = token.totals[ESCROW] = -sum(token.totals)
    facts.balances.extend(ledger.balances.values())
    facts.holdings.update(dict.fromkeys(ledger.tokens.values()))
    return ledger, facts


def _read(ledger: Ledger, line: state_lines.StateLine, facts: BlockFacts) -> None:
    others, number = facts.others, facts.number
    match line:
        case state_lines.Last():
            ledger.last_seq, ledger.last_trade = line
        case lines.Rules():
            ledger.set_rules(line)
            others.append((line, None))
        case lines.Upgrade():
            ledger.upgrade = line
            others.append((line, None))
        case lines.Token():
            others.append((line, ledger.add_token(line)))
        case lines.Pair():
            others.append((line, ledger.add_pair(line)))
        case state_lines.Balance():
            token = ledger.tokens[line.symbol]
            balance = ledger.balance(ledger.number_of(line.account), token)
            for bucket, amount in zip(
                (AVAILABLE, LOCKED, WITHDRAWING), (line.available, line.locked, line.withdrawing), strict=True
            ):
                balance.buckets[bucket] = amount
                token.totals[bucket] += amount
        case state_lines.Order():
            _open(ledger, _order(ledger, line), facts)
        case state_lines.Stop():
            _open(ledger, open_stop(ledger, line), facts)
        case state_lines.Timer():
            timer = TimerView(ledger.next("timers"), lines.Timer(*line), number)
            ledger.timers[line.account, line.by] = timer
            others.append((timer.line, timer))
        case state_lines.Grant():
            grant_line = lines.Grant(*line[:6])
            grant = GrantView(ledger.next("grants"), grant_line, number, line.day, read_amounts(line.used))
            ledger.add_grant(grant)
            others.append((grant.line, grant))
            if line.day is not None:
                facts.grants_used[grant.n] = grant
        case state_lines.Withdrawal():
            _withdrawal(ledger, line, facts)
        case state_lines.Refund():
            refund = RefundView(ledger.next("refunds"), lines.Refund(*line), number)
            ledger.refunds[line.id] = refund
            others.append((refund.line, refund))
        case state_lines.Mark():
            ledger.pairs[line.pair].mark.add(line.block, line.base, line.quote)
        case state_lines.Left():
            ledger.left_over.append(line.pair)
        case state_lines.Escrow():
            ledger.tokens[line.symbol].holdings = read_integer_text(line.holdings)


def _order(ledger: Ledger, line: state_lines.Order) -> OrderView:
    pair, account = ledger.pairs[line.pair], ledger.number_of(line.account)
    view = OrderView(
        seq=line.seq,
        id=line.id,
        account=account,
        pair=pair,
        balances=ledger.balances_of(account, pair),
        is_buy=line.side == "buy",
        market=False,
        price=line.price,
        quantity=line.quantity,
        expiry=line.expiry,
        maker_fee_bps=line.maker_fee_bps,
        taker_fee_bps=line.taker_fee_bps,
        to_wallet=line.settle == "wallet",
        stop_price=line.stop_price,
        stop_limit=line.stop_limit,
        stop=None,
    )
    view.remaining, view.locked = line.remaining, line.locked
    view.received, view.released = line.received, line.released
    return view


def _open(ledger: Ledger, view: OrderView, facts: BlockFacts) -> None:
    """Note an open order or stop, and the intent that placed it as far as it is known: its id and account."""
    account = ledger.names[view.account]
    intent = IntentView(ledger.next("intents"), view.id, account, None, view.side, None, None, view.seq)
    facts.intents.append(intent)
    view.intent, view.block = intent.n, facts.number
    ledger.orders[view.id] = facts.orders[view.seq] = view


def _withdrawal(ledger: Ledger, line: state_lines.Withdrawal, facts: BlockFacts) -> None:
    balance = ledger.balance(ledger.number_of(line.account), ledger.tokens[line.symbol])
    view = WithdrawalView(ledger.next("withdrawals"), lines.Withdraw(*line[:6]), balance, facts.number)
    view.returning = due = line.returning
    ledger.withdrawals[line.id] = view
    facts.others.append((view.line, view))
    if due is not None:
        facts.others.append((lines.Returning(line.id, due), view))
