"""The tables. Amounts are 64-bit integers of a token's smallest unit, prices 64-bit ticks.

Text from the chain is stored percent-encoded (protocol, section 9), so any database can hold it.
Primary keys are given by the program and grow. Accounts, tokens and pairs are small integers in the
rows of history. Secondary indexes serve readers only: they are made when catching up is done.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata: Final = MetaData()

OPEN, FILLED, CANCELLED, EXPIRED = range(4)
ORDER_STATUSES: Final = ("open", "filled", "cancelled", "expired")
PENDING, PAID, RETURNED = range(3)


# SQLite keeps a table in the order of its key only where the key's type is spelled INTEGER.
KEY_TYPE: Final = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str = "n") -> Column[int]:
    return Column(name, KEY_TYPE, primary_key=True, autoincrement=False)


cursor: Final = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("venue_hash", String(64), nullable=False),
    Column("venue_text", Text, nullable=False, comment="the venue file as last read"),
    Column("block", BigInteger, nullable=False, comment="last block recorded; start_block - 1 before any"),
    Column("block_id", String, nullable=True, comment="null before any block"),
    Column("timestamp", BigInteger, nullable=False, comment="seconds since 1970, UTC"),
    Column("journal_hash", String(64), nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_trade", BigInteger, nullable=False),
    Column("last_withdrawal", BigInteger, nullable=False),
    Column("last_refund", BigInteger, nullable=False),
    Column("max_open_orders", Integer, nullable=False),
    Column("fee_account", String, nullable=False),
)

accounts: Final = Table("accounts", metadata, _key("id"), Column("name", String, nullable=False, unique=True))

tokens: Final = Table(
    "tokens",
    metadata,
    _key("id"),
    Column("symbol", String, nullable=False, unique=True),
    Column("precision", SmallInteger, nullable=False),
    Column("chain", String, nullable=False),
    Column("escrow", String, nullable=False),
)

pairs: Final = Table(
    "pairs",
    metadata,
    _key("id"),
    Column("base", String, nullable=False),
    Column("quote", String, nullable=False),
    Column("price_decimals", SmallInteger, nullable=False),
    Column("quantity_decimals", SmallInteger, nullable=False),
    Column("maker_fee_bps", SmallInteger, nullable=False),
    Column("taker_fee_bps", SmallInteger, nullable=False),
    Column("price_policy", String, nullable=False),
    Column("self_trade", String, nullable=False),
    Column("status", String, nullable=False),
)

blocks: Final = Table(
    "blocks",
    metadata,
    _key("number"),
    Column("block_id", String, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("journal_hash", String(64), nullable=False, comment="after this block"),
    comment="blocks in which anything of ours happened",
)

journal: Final = Table(
    "journal",
    metadata,
    _key("block"),
    Column("lines", Text, nullable=False, comment="the block's part of the journal, each line with its LF"),
)

intents: Final = Table(
    "intents",
    metadata,
    _key(),
    Column("tx_key", BigInteger, nullable=False, comment="look-up key of the transaction id"),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("action", String(32), nullable=False),
    Column("code", String(16), nullable=True, comment="null where accepted"),
    Column("ref", String(32), nullable=True),
    Column("seq", BigInteger, nullable=True, comment="the order that it placed"),
)

orders: Final = Table(
    "orders",
    metadata,
    _key("seq"),
    Column("intent", BigInteger, ForeignKey("intents.n"), nullable=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("pair_id", BigInteger, ForeignKey("pairs.id"), nullable=False),
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
)

trades: Final = Table(
    "trades",
    metadata,
    _key(),
    Column("block", BigInteger, nullable=False),
    Column("pair_id", BigInteger, ForeignKey("pairs.id"), nullable=False),
    Column("taker", BigInteger, ForeignKey("orders.seq"), nullable=False),
    Column("maker", BigInteger, ForeignKey("orders.seq"), nullable=False),
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
    Column("token_id", BigInteger, ForeignKey("tokens.id"), nullable=False),
    Column("debit_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("debit_bucket", SmallInteger, nullable=False),
    Column("credit_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("credit_bucket", SmallInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    comment="every ledger transfer, in order; buckets as in settlement.model.BUCKETS",
)

balances: Final = Table(
    "balances",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("token_id", BigInteger, ForeignKey("tokens.id"), primary_key=True, autoincrement=False),
    Column("available", BigInteger, nullable=False),
    Column("locked", BigInteger, nullable=False),
    Column("withdrawing", BigInteger, nullable=False),
    Column("escrow", BigInteger, nullable=False, comment="counterpart of deposits, never positive"),
    sqlite_with_rowid=False,
)

holdings: Final = Table(
    "holdings",
    metadata,
    Column("escrow", String, primary_key=True),
    Column("symbol", String, primary_key=True),
    Column("units", String, nullable=False, comment="as text: an outflow can exceed 64 bits"),
)

deposits: Final = Table(
    "deposits",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("token_id", BigInteger, ForeignKey("tokens.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("escrow", String, nullable=False),
)

refunds: Final = Table(
    "refunds",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account", String, nullable=False),
    Column("chain", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("quantity", String, nullable=False, comment="literal, encoded"),
    Column("value", String, nullable=False, comment="normal form, for comparing"),
    Column("escrow", String, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("paid_by", String, nullable=True),
    Column("closed_block", BigInteger, nullable=True),
)

withdrawals: Final = Table(
    "withdrawals",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("token_id", BigInteger, ForeignKey("tokens.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("to", String, nullable=False),
    Column("memo", Text, nullable=True, comment="the trader's own, encoded"),
    Column("status", SmallInteger, nullable=False),
    Column("paid_by", String, nullable=True),
    Column("closed_block", BigInteger, nullable=True),
)

outflows: Final = Table(
    "outflows",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("escrow", String, nullable=False),
    Column("chain", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("quantity", String, nullable=False),
    Column("to", String, nullable=False),
)

internal_moves: Final = Table(
    "internal_moves",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("sender", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("amount", String, nullable=False, comment="units, or the literal quantity of an unlisted token"),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    _key(),
    Column("id", String, nullable=False),
    Column("block", BigInteger, nullable=False, comment="in which it was claimed"),
    Column("claimed_block", BigInteger, nullable=False),
    Column("state_hash", String(64), nullable=False),
    Column("journal_hash", String(64), nullable=False),
)

receipts: Final = Table(
    "receipts",
    metadata,
    _key("block"),
    Column("text", Text, nullable=False, comment="what counted of the sidechain's receipts, canonical JSON"),
    comment="with these a block can be judged again without the sidechain",
)

indexer_status: Final = Table(
    "indexer_status",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("updated", BigInteger, nullable=False, comment="seconds since 1970, UTC, by the indexer's clock"),
    Column("mode", String, nullable=False, comment="catching up, following or stopped"),
    Column("irreversible", BigInteger, nullable=True, comment="last irreversible block that a node named"),
    Column("waiting_for", Text, nullable=True, comment="null while blocks flow"),
    Column("waiting_since", BigInteger, nullable=True),
    Column("nodes", Text, nullable=True, comment="how each node is: a JSON array"),
    comment="for people: what the indexer is doing; never part of the state",
)

lease: Final = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("token", String(32), nullable=False, comment="made up anew for each holding"),
    Column("host", String, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("place", String, nullable=True, comment="this boot and process space; null if not known"),
    Column("started", String, nullable=True, comment="when the process was, by the system's own count"),
    Column("since", BigInteger, nullable=False, comment="seconds since 1970, UTC, by the holder's clock"),
    Column("heartbeat", BigInteger, nullable=False, comment="the same, when it last said that it lives"),
    comment="which indexer may write; never part of the state",
)

# What readers look things up by. Open claims and orders are few: partial indexes stay small.
_is_open = text("status = 0")
_is_rejected = text("code IS NOT NULL")
READ_INDEXES: Final = (
    Index("intents_by_transaction", intents.c.tx_key),
    Index("orders_by_account", orders.c.account_id, orders.c.seq),
    Index(
        "orders_open",
        orders.c.pair_id,
        orders.c.is_buy,
        orders.c.price,
        orders.c.seq,
        sqlite_where=_is_open,
        postgresql_where=_is_open,
    ),
    Index(
        "orders_open_by_account",
        orders.c.account_id,
        orders.c.seq,
        sqlite_where=_is_open,
        postgresql_where=_is_open,
    ),
    Index(
        "intents_rejected",
        intents.c.account_id,
        intents.c.n,
        sqlite_where=_is_rejected,
        postgresql_where=_is_rejected,
    ),
    Index("trades_by_pair", trades.c.pair_id, trades.c.n),
    Index("trades_by_taker", trades.c.taker),
    Index("trades_by_maker", trades.c.maker),
    Index("deposits_by_account", deposits.c.account_id, deposits.c.n),
    Index("withdrawals_by_account", withdrawals.c.account_id, withdrawals.c.n),
    Index("withdrawals_open", withdrawals.c.n, sqlite_where=_is_open, postgresql_where=_is_open),
    Index("refunds_open", refunds.c.n, sqlite_where=_is_open, postgresql_where=_is_open),
)
