"""Secondary indexes. Only readers need them, so they are created once catching up is done.

The conditions of partial indexes are literal SQL: a query uses such an index only if it says the same.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Index, TextClause, text

from settlement.store.payout_schema import members as payout_members
from settlement.store.schema import (
    balance_changes,
    deposits,
    grants,
    ignored,
    intents,
    orders,
    refunds,
    timers,
    trades,
    transfers,
    withdrawals,
)

_is_open = text("status = 0")
_is_waiting = text("status = 5")
_is_rejected = text("code IS NOT NULL")
_has_ref = text("ref IS NOT NULL")
_was_open = text("fork IS NOT NULL")
_of_another = text("credit_id <> debit_id")
_between_two = text("maker_account_id <> taker_account_id")


def _partial(name: str, condition: TextClause, *columns: Column[Any]) -> Index:
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


READ_INDEXES: Final = (
    Index("intents_by_transaction", intents.c.tx_key),
    _partial("intents_rejected", _is_rejected, intents.c.account_id, intents.c.n),
    _partial("intents_by_ref", _has_ref, intents.c.account_id, intents.c.ref, intents.c.n),
    Index("orders_by_account", orders.c.account_id, orders.c.seq),
    _partial("orders_open", _is_open, orders.c.pair_id, orders.c.is_buy, orders.c.price, orders.c.seq),
    _partial("orders_open_by_number", _is_open, orders.c.seq),
    _partial("orders_open_by_pair", _is_open, orders.c.pair_id, orders.c.seq),
    _partial("orders_open_by_account", _is_open, orders.c.account_id, orders.c.seq),
    _partial("orders_waiting_by_number", _is_waiting, orders.c.seq),
    _partial("orders_waiting_by_pair", _is_waiting, orders.c.pair_id, orders.c.seq),
    _partial("orders_waiting_by_account", _is_waiting, orders.c.account_id, orders.c.seq),
    _partial("orders_past_until", _was_open, orders.c.pair_id, orders.c.fork, orders.c.closed_block),
    _partial("orders_past_from", _was_open, orders.c.pair_id, orders.c.fork, orders.c.block),
    # A fork node holds at most as many orders of an account as it may have open: they are scanned.
    _partial("orders_past_by_account", _was_open, orders.c.account_id, orders.c.fork),
    Index("trades_by_pair", trades.c.pair_id, trades.c.n),
    Index("trades_by_taker", trades.c.taker),
    Index("trades_by_maker", trades.c.maker),
    Index("trades_by_taker_account", trades.c.taker_account_id, trades.c.n),
    _partial("trades_by_maker_account", _between_two, trades.c.maker_account_id, trades.c.n),
    Index(
        "balance_changes_by_wallet",
        balance_changes.c.account_id,
        balance_changes.c.token_id,
        balance_changes.c.block,
    ),
    Index("transfers_by_debit", transfers.c.debit_id, transfers.c.n),
    _partial("transfers_by_credit", _of_another, transfers.c.credit_id, transfers.c.n),
    Index("deposits_by_account", deposits.c.account_id, deposits.c.n),
    Index("refunds_by_account", refunds.c.account, refunds.c.arrival),
    Index("ignored_by_account", ignored.c.account, ignored.c.n),
    _partial("refunds_open", _is_open, refunds.c.n),
    Index("payout_members_by_transaction", payout_members.c.transaction_n),
    Index("refunds_closed", refunds.c.closed_block),
    _partial("refunds_past_until", _was_open, refunds.c.fork, refunds.c.closed_block),
    _partial("refunds_past_from", _was_open, refunds.c.fork, refunds.c.block),
    _partial("grants_open", _is_open, grants.c.n),
    _partial("grants_by_account", _is_open, grants.c.account_id, grants.c.n),
    _partial("grants_by_grantee", _is_open, grants.c.to, grants.c.n),
    _partial("grants_past_until", _was_open, grants.c.fork, grants.c.closed_block),
    _partial("grants_past_from", _was_open, grants.c.fork, grants.c.block),
    _partial("timers_open", _is_open, timers.c.n),
    _partial("timers_by_account", _is_open, timers.c.account_id, timers.c.n),
    _partial("timers_past_until", _was_open, timers.c.fork, timers.c.closed_block),
    _partial("timers_past_from", _was_open, timers.c.fork, timers.c.block),
    Index("withdrawals_by_account", withdrawals.c.account_id, withdrawals.c.n),
    _partial("withdrawals_open", _is_open, withdrawals.c.n),
    Index("withdrawals_closed", withdrawals.c.closed_block),
    _partial("withdrawals_past_until", _was_open, withdrawals.c.fork, withdrawals.c.closed_block),
    _partial("withdrawals_past_from", _was_open, withdrawals.c.fork, withdrawals.c.block),
)
