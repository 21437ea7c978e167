"""The tables. Amounts are 64-bit integers of a token's smallest unit, prices 64-bit ticks.

Text from the chain is stored percent-encoded (protocol, section 9), so any database can hold it.
Primary keys are given by the program and grow. Accounts, tokens and pairs are small integers in the
rows of history. Secondary indexes serve readers only: they are made when catching up is done. References
are not declared: SQLite would not check them, PostgreSQL would for each row, and the recorder gives all
numbers.

Derived rows answer for past blocks and for market figures without reading history: `balance_changes`,
`order_changes`, `holding_changes`, `candles`, `totals`, the columns `fork` and what `blocks` counts. The
recorder keeps them, and `settlement.store.write.rebuild` can make them again from the other tables.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TextClause,
    text,
)
from sqlalchemy.types import TypeEngine

metadata: Final = MetaData()

OPEN, FILLED, CANCELLED, EXPIRED = range(4)
ORDER_STATUSES: Final = ("open", "filled", "cancelled", "expired")
PENDING, PAID, RETURNED = range(3)
CLAIM_STATUSES: Final = ("pending", "paid", "returned")
CANDLES: Final = (60, 3_600, 86_400)
"""Intervals, in seconds, of the candles that are kept; longer ones are added up from these."""


# SQLite keeps a table in the order of its key only where the key's type is spelled INTEGER.
KEY_TYPE: Final = BigInteger().with_variant(Integer(), "sqlite")


# In PostgreSQL text has no limit to fail at and sorts by its bytes, as in SQLite, wherever the server stands.
_PLAIN: Final = Text(collation="C")


def _text(length: int | None = None) -> TypeEngine[str]:
    return String(length).with_variant(_PLAIN, "postgresql")


def _long_text() -> TypeEngine[str]:
    return Text().with_variant(_PLAIN, "postgresql")


def _key(name: str = "n") -> Column[int]:
    return Column(name, KEY_TYPE, primary_key=True, autoincrement=False)


def _fork() -> Column[int | None]:
    """See `settlement.store.interval_tree`. Only what closed in a later block than it opened has one."""
    return Column("fork", BigInteger, nullable=True, comment="where past blocks are looked up")


cursor: Final = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("venue_hash", _text(64), nullable=False),
    Column("venue_text", _long_text(), nullable=False, comment="the venue file as last read"),
    Column("block", BigInteger, nullable=False, comment="last block recorded; start_block - 1 before any"),
    Column("block_id", _text(), nullable=True, comment="null before any block"),
    Column("timestamp", BigInteger, nullable=False, comment="seconds since 1970, UTC"),
    Column("journal_hash", _text(64), nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_trade", BigInteger, nullable=False),
    Column("last_withdrawal", BigInteger, nullable=False),
    Column("last_refund", BigInteger, nullable=False),
    Column("last_block_n", BigInteger, nullable=False, comment="n of the newest row of blocks, 0 before any"),
    Column("max_open_orders", Integer, nullable=False),
    Column("fee_account", _text(), nullable=False),
)

accounts: Final = Table(
    "accounts", metadata, _key("id"), Column("name", _text(), nullable=False, unique=True)
)

tokens: Final = Table(
    "tokens",
    metadata,
    _key("id"),
    Column("symbol", _text(), nullable=False, unique=True),
    Column("precision", SmallInteger, nullable=False),
    Column("chain", _text(), nullable=False),
    Column("escrow", _text(), nullable=False),
)

pairs: Final = Table(
    "pairs",
    metadata,
    _key("id"),
    Column("base", _text(), nullable=False),
    Column("quote", _text(), nullable=False),
    Column("price_decimals", SmallInteger, nullable=False),
    Column("quantity_decimals", SmallInteger, nullable=False),
    Column("maker_fee_bps", SmallInteger, nullable=False),
    Column("taker_fee_bps", SmallInteger, nullable=False),
    Column("price_policy", _text(), nullable=False),
    Column("self_trade", _text(), nullable=False),
    Column("status", _text(), nullable=False),
)

blocks: Final = Table(
    "blocks",
    metadata,
    _key("number"),
    Column("block_id", _text(), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("journal_hash", _text(64), nullable=False, comment="after this block"),
    Column("n", BigInteger, nullable=False, comment="1, 2, 3 … without gaps"),
    Column("last_seq", BigInteger, nullable=False, comment="this and the next three: after this block"),
    Column("last_trade", BigInteger, nullable=False),
    Column("last_withdrawal", BigInteger, nullable=False),
    Column("last_refund", BigInteger, nullable=False),
    comment="blocks in which anything of ours happened",
)

journal: Final = Table(
    "journal",
    metadata,
    _key("block"),
    Column(
        "lines",
        _long_text(),
        nullable=False,
        comment="the block's part of the journal, each line with its LF",
    ),
)

intents: Final = Table(
    "intents",
    metadata,
    _key(),
    Column("tx_key", BigInteger, nullable=False, comment="look-up key of the transaction id"),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("action", _text(32), nullable=False),
    Column("code", _text(16), nullable=True, comment="null where accepted"),
    Column("ref", _text(32), nullable=True),
    Column("seq", BigInteger, nullable=True, comment="the order that it placed"),
)

orders: Final = Table(
    "orders",
    metadata,
    _key("seq"),
    Column("intent", BigInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("pair_id", BigInteger, nullable=False),
    Column("is_buy", Boolean, nullable=False),
    Column("market", Boolean, nullable=False),
    Column("price", BigInteger, nullable=True),
    Column("quantity", BigInteger, nullable=False, comment="base units; quote units for a market buy"),
    Column("expiry", BigInteger, nullable=True),
    Column("to_wallet", Boolean, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("locked", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, comment="net of fees, units of what it gets"),
    Column("released", BigInteger, nullable=False, comment="units of what it gives"),
    Column("status", SmallInteger, nullable=False),
    Column("closed_block", BigInteger, nullable=True),
    _fork(),
)

order_changes: Final = Table(
    "order_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("remaining", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    comment="open orders filled in part, as they stood after each block that changed them",
    sqlite_with_rowid=False,
)

trades: Final = Table(
    "trades",
    metadata,
    _key(),
    Column("block", BigInteger, nullable=False),
    Column("pair_id", BigInteger, nullable=False),
    Column("taker", BigInteger, nullable=False),
    Column("maker", BigInteger, nullable=False),
    Column("taker_account_id", BigInteger, nullable=False),
    Column("maker_account_id", BigInteger, nullable=False),
    Column("taker_is_buy", Boolean, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("quote_amount", BigInteger, nullable=False),
    Column("buyer_fee", BigInteger, nullable=False, comment="base units"),
    Column("seller_fee", BigInteger, nullable=False, comment="quote units"),
)

transfers: Final = Table(
    "transfers",
    metadata,
    _key(),
    Column("block", BigInteger, nullable=False),
    Column("token_id", BigInteger, nullable=False),
    Column("debit_id", BigInteger, nullable=False),
    Column("debit_bucket", SmallInteger, nullable=False),
    Column("credit_id", BigInteger, nullable=False),
    Column("credit_bucket", SmallInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    comment="every ledger transfer, in order; buckets as in settlement.core.accounts.BUCKETS",
)

balances: Final = Table(
    "balances",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token_id", BigInteger, primary_key=True, autoincrement=False),
    Column("available", BigInteger, nullable=False),
    Column("locked", BigInteger, nullable=False),
    Column("withdrawing", BigInteger, nullable=False),
    Column("escrow", BigInteger, nullable=False, comment="counterpart of deposits, never positive"),
    sqlite_with_rowid=False,
)

balance_changes: Final = Table(
    "balance_changes",
    metadata,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token_id", BigInteger, primary_key=True, autoincrement=False),
    Column("available", BigInteger, nullable=False),
    Column("locked", BigInteger, nullable=False),
    Column("withdrawing", BigInteger, nullable=False),
    comment="every wallet that a block moved something of, as it stood after that block",
    sqlite_with_rowid=False,
)

totals: Final = Table(
    "totals",
    metadata,
    Column("token_id", KEY_TYPE, primary_key=True, autoincrement=False),
    Column("available", BigInteger, nullable=False),
    Column("locked", BigInteger, nullable=False),
    Column("withdrawing", BigInteger, nullable=False),
    comment="what the venue owes of each token, over all accounts; no row where none ever moved",
)

holdings: Final = Table(
    "holdings",
    metadata,
    Column("escrow", _text(), primary_key=True),
    Column("symbol", _text(), primary_key=True),
    Column("units", _text(), nullable=False, comment="as text: an outflow can exceed 64 bits"),
)

holding_changes: Final = Table(
    "holding_changes",
    metadata,
    Column("escrow", _text(), primary_key=True),
    Column("symbol", _text(), primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("units", _text(), nullable=False),
    comment="holdings as they stood after each block that changed them",
    sqlite_with_rowid=False,
)

candles: Final = Table(
    "candles",
    metadata,
    Column("pair_id", BigInteger, primary_key=True, autoincrement=False),
    Column("interval", Integer, primary_key=True, autoincrement=False, comment="seconds: see CANDLES"),
    Column("start", BigInteger, primary_key=True, autoincrement=False, comment="a multiple of interval"),
    Column("open", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("close", BigInteger, nullable=False),
    Column("base_high", BigInteger, nullable=False, comment="volume, in units of 2^32 base units"),
    Column("base_low", BigInteger, nullable=False, comment="the rest of it, below 2^32 base units"),
    Column("quote_high", BigInteger, nullable=False),
    Column("quote_low", BigInteger, nullable=False),
    Column("trades", BigInteger, nullable=False),
    comment="by block time; intervals without a trade have no row",
    sqlite_with_rowid=False,
)

deposits: Final = Table(
    "deposits",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("token_id", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("escrow", _text(), nullable=False),
)

refunds: Final = Table(
    "refunds",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account", _text(), nullable=False),
    Column("chain", _text(), nullable=False),
    Column("symbol", _text(), nullable=False),
    Column("quantity", _text(), nullable=False, comment="literal, encoded"),
    Column("value", _text(), nullable=False, comment="normal form, for comparing"),
    Column("escrow", _text(), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("paid_by", _text(), nullable=True),
    Column("closed_block", BigInteger, nullable=True),
    Column(
        "arrival",
        BigInteger,
        nullable=False,
        comment="its place among deposits: one sequence with deposits.n",
    ),
    _fork(),
)

withdrawals: Final = Table(
    "withdrawals",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("token_id", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("to", _text(), nullable=False),
    Column("memo", _long_text(), nullable=True, comment="the trader's own, encoded"),
    Column("status", SmallInteger, nullable=False),
    Column("paid_by", _text(), nullable=True),
    Column("closed_block", BigInteger, nullable=True),
    _fork(),
)

outflows: Final = Table(
    "outflows",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("escrow", _text(), nullable=False),
    Column("chain", _text(), nullable=False),
    Column("symbol", _text(), nullable=False),
    Column("quantity", _text(), nullable=False),
    Column("to", _text(), nullable=False),
    Column("units", _text(), nullable=True, comment="by which holdings fell; null where it was none of ours"),
)

internal_moves: Final = Table(
    "internal_moves",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("sender", _text(), nullable=False),
    Column("recipient", _text(), nullable=False),
    Column("symbol", _text(), nullable=False),
    Column("amount", _text(), nullable=False, comment="units, or the literal quantity of an unlisted token"),
    Column(
        "units", _text(), nullable=True, comment="by which holdings changed; null where it was none of ours"
    ),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    _key(),
    Column("id", _text(), nullable=False),
    Column("block", BigInteger, nullable=False, comment="in which it was claimed"),
    Column("claimed_block", BigInteger, nullable=False),
    Column("state_hash", _text(64), nullable=False),
    Column("journal_hash", _text(64), nullable=False),
)

receipts: Final = Table(
    "receipts",
    metadata,
    _key("block"),
    Column(
        "text",
        _long_text(),
        nullable=False,
        comment="what counted of the sidechain's receipts, canonical JSON",
    ),
    comment="with these a block can be judged again without the sidechain",
)

indexer_status: Final = Table(
    "indexer_status",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("updated", BigInteger, nullable=False, comment="seconds since 1970, UTC, by the indexer's clock"),
    Column("mode", _text(), nullable=False, comment="catching up, following or stopped"),
    Column("irreversible", BigInteger, nullable=True, comment="last irreversible block that a node named"),
    Column("waiting_for", _long_text(), nullable=True, comment="null while blocks flow"),
    Column("waiting_since", BigInteger, nullable=True),
    Column("nodes", _long_text(), nullable=True, comment="how each node is: a JSON array"),
    Column("peers", _long_text(), nullable=True, comment="what comparing with each peer gave: a JSON array"),
    Column("claims", _long_text(), nullable=True, comment="our state hash by checkpoint's n: a JSON object"),
    comment="for people: what the indexer is doing; never part of the state",
)


def _lease_columns() -> list[Column[Any]]:
    return [
        Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
        Column("token", _text(32), nullable=False, comment="made up anew for each holding"),
        Column("host", _text(), nullable=False),
        Column("pid", BigInteger, nullable=False),
        Column("place", _text(), nullable=True, comment="this boot and process space; null if not known"),
        Column("started", _text(), nullable=True, comment="when the process was, by the system's own count"),
        Column("since", BigInteger, nullable=False, comment="seconds since 1970, UTC, by the holder's clock"),
        Column("heartbeat", BigInteger, nullable=False, comment="the same, when it last said that it lives"),
    ]


lease: Final = Table(
    "lease",
    metadata,
    *_lease_columns(),
    comment="which indexer may write; never part of the state",
)

# -- payouts: written by `peakedex payouts` alone, and no part of the state ---------------------------

payout_transactions: Final = Table(
    "payout_transactions",
    metadata,
    _key(),
    Column("id", _text(40), nullable=False, unique=True),
    Column("escrow", _text(), nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, comment="seconds since 1970, by the chain's time"),
    Column("transaction", _long_text(), nullable=False, comment="JSON without signatures"),
    Column("signatures", _long_text(), nullable=False, comment="JSON object: hex digits by public key"),
    Column("weight", Integer, nullable=False, comment="what the signatures weigh"),
    Column("needed", Integer, nullable=False, comment="what they must weigh"),
    Column("first_sent", BigInteger, nullable=True, comment="the chain's time; null until it was sent"),
    Column("last_sent", BigInteger, nullable=True),
    Column("answer", _long_text(), nullable=True, comment="what a node said of it last"),
    comment="signed payments, committed before the first one hears of them",
)

payout_members: Final = Table(
    "payout_members",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False, comment="0 withdrawal, 1 refund"),
    Column("claim", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "transaction_n",
        BigInteger,
        primary_key=True,
        autoincrement=False,
    ),
    comment="which claims a transaction pays",
    sqlite_with_rowid=False,
)

payout_decisions: Final = Table(
    "payout_decisions",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("claim", BigInteger, primary_key=True, autoincrement=False),
    Column("decision", SmallInteger, nullable=False, comment="0 pay it above all limits, 1 do not pay it"),
    Column("since", BigInteger, nullable=True, comment="of a 1: the chain's time then, seconds since 1970"),
    comment="what the operator has said of single claims",
    sqlite_with_rowid=False,
)

payout_notes: Final = Table(
    "payout_notes",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("claim", BigInteger, primary_key=True, autoincrement=False),
    Column("state", _text(), nullable=False),
    Column("reason", _long_text(), nullable=True),
    Column("next_attempt", BigInteger, nullable=True, comment="seconds since 1970, by the chain's time"),
    comment="for people: how it is with each pending claim",
    sqlite_with_rowid=False,
)

payout_settings: Final = Table(
    "payout_settings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("policy_hash", _text(64), nullable=True, comment="null where no process has signed yet"),
    Column("hold_from", BigInteger, nullable=False, comment="claims opened later are free of the hold"),
    Column("hold_until", BigInteger, nullable=False, comment="the others are held until then; chain time"),
    Column("paused", Boolean, nullable=False),
)

payout_lease: Final = Table(
    "payout_lease",
    metadata,
    *_lease_columns(),
    comment="which payouts process works on this database",
)

# What readers look things up by. Open claims and orders are few: partial indexes stay small.
_is_open = text("status = 0")
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
    _partial("orders_past_until", _was_open, orders.c.pair_id, orders.c.fork, orders.c.closed_block),
    _partial("orders_past_from", _was_open, orders.c.pair_id, orders.c.fork, orders.c.block),
    # At one fork stand no more orders of an account than it may have open at once: they are looked through.
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
    _partial("refunds_open", _is_open, refunds.c.n),
    Index("payout_members_by_transaction", payout_members.c.transaction_n),
    Index("refunds_closed", refunds.c.closed_block),
    _partial("refunds_past_until", _was_open, refunds.c.fork, refunds.c.closed_block),
    _partial("refunds_past_from", _was_open, refunds.c.fork, refunds.c.block),
    Index("withdrawals_by_account", withdrawals.c.account_id, withdrawals.c.n),
    _partial("withdrawals_open", _is_open, withdrawals.c.n),
    Index("withdrawals_closed", withdrawals.c.closed_block),
    _partial("withdrawals_past_until", _was_open, withdrawals.c.fork, withdrawals.c.closed_block),
    _partial("withdrawals_past_from", _was_open, withdrawals.c.fork, withdrawals.c.block),
)
