"""The tables of the exchange. Those of payouts are in `payout_schema`.

All rows are a projection of the journal (protocol, section 11); `settlement.store.write` makes them. Amounts
are 64-bit integers in a token's smallest unit, prices 64-bit integers in ticks, times Unix seconds. Text from
the chain is percent-encoded, so that any database can hold it. Accounts, tokens and pairs are integers in the
rows of the history. The projector assigns all keys. Foreign keys are not declared: SQLite would not check
them, and PostgreSQL would look each one up.

Derived tables and columns answer queries about past blocks and markets without reading the history:
`balance_changes`, `order_changes`, `holding_changes`, `candles`, `totals`, the columns `fork`, and the
counters of `blocks`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata: Final = MetaData()

OPEN, FILLED, CANCELLED, EXPIRED, TRIGGERED, WAITING = range(6)
ORDER_STATUSES: Final = ("open", "filled", "cancelled", "expired", "triggered", "waiting")
"""Statuses of orders and stops. An open stop is `waiting`; one that fired is `triggered`."""
TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK")
PENDING, PAID, RETURNED = range(3)
CLAIM_STATUSES: Final = ("pending", "paid", "returned")
CANDLES: Final = (60, 3_600, 86_400)
"""Stored candle intervals in seconds; queries compute longer ones from these."""

# SQLite stores a table in the order of its key only if the key's type is spelled INTEGER.
KEY_TYPE: Final = BigInteger().with_variant(Integer(), "sqlite")
# On PostgreSQL text has no length limit and is compared by bytes, as on SQLite.
_PLAIN_TEXT: Final = Text(collation="C")


def table(name: str, *columns: Column[Any], **options: Any) -> Table:
    return Table(name, metadata, *columns, **options)


def key_column(name: str = "n") -> Column[Any]:
    return Column(name, KEY_TYPE, primary_key=True, autoincrement=False)


def key_part(name: str, type_: Any = BigInteger, comment: str | None = None) -> Column[Any]:
    return Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def single_row_key() -> Column[Any]:
    return key_part("id", Integer, "always 1")


def integer(name: str, comment: str | None = None, *, null: bool = False, bits: int = 64) -> Column[Any]:
    type_ = {16: SmallInteger, 32: Integer, 64: BigInteger}[bits]
    return Column(name, type_, nullable=null, comment=comment)


def flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False)


def string(
    name: str, comment: str | None = None, *, length: int | None = None, null: bool = False, **options: Any
) -> Column[Any]:
    type_ = String(length).with_variant(_PLAIN_TEXT, "postgresql")
    return Column(name, type_, nullable=null, comment=comment, **options)


def long_text(name: str, comment: str | None = None, *, null: bool = False) -> Column[Any]:
    return Column(name, Text().with_variant(_PLAIN_TEXT, "postgresql"), nullable=null, comment=comment)


def _buckets() -> list[Column[Any]]:
    return [integer(name) for name in ("available", "locked", "withdrawing")]


def _fork() -> Column[Any]:
    return integer("fork", "interval tree node; null while open, or closed in its first block", null=True)


cursor: Final = table(
    "cursor",
    single_row_key(),
    string("venue_hash", length=64),
    long_text("venue_text", "the venue file as last read"),
    integer("block", "last block processed; start_block - 1 before the first"),
    string("block_id", "null before the first block", null=True),
    integer("timestamp", "seconds since 1970, UTC"),
    string("journal_hash", length=64),
    integer("last_seq"),
    integer("last_trade"),
    integer("last_block_n", "n of the newest row of blocks; 0 if none"),
    integer("max_open_orders", bits=32),
    string("fee_account"),
    integer(
        "state_block", "of the state text from which the history begins; null: it is complete", null=True
    ),
)

accounts: Final = table("accounts", key_column("id"), string("name", unique=True))

tokens: Final = table(
    "tokens",
    key_column("id"),
    string("symbol", unique=True),
    integer("precision", bits=16),
    string("chain"),
    string("escrow"),
    integer("min_withdrawal"),
)

pairs: Final = table(
    "pairs",
    key_column("id"),
    string("base"),
    string("quote"),
    *(integer(name, bits=16) for name in ("price_decimals", "quantity_decimals")),
    *(integer(name, bits=16) for name in ("maker_fee_bps", "taker_fee_bps")),
    string("price_policy"),
    string("self_trade"),
    string("status"),
)

settings: Final = table(
    "settings",
    key_column(),
    integer("block", "start_block - 1 for what the venue file says"),
    string("kind", "token, pair, rules or upgrade"),
    string("key", "symbol or pair; empty for the others"),
    long_text("line", "the journal line without LF"),
    comment="every token, pair, rules and upgrade line: what held at a past block",
)

blocks: Final = table(
    "blocks",
    key_column("number"),
    string("block_id"),
    integer("timestamp"),
    string("journal_hash", "after this block", length=64),
    integer("n", "1, 2, 3 … without gaps"),
    integer("last_seq", "last order number after this block; likewise the others"),
    integer("last_trade"),
    integer("last_withdrawal"),
    integer("last_refund"),
    integer("last_grant"),
    integer("last_timer"),
    comment="active blocks: those with at least one journal line or intent",
)

journal: Final = table(
    "journal", key_column("block"), long_text("lines", "the block's journal lines, each ending with LF")
)

intents: Final = table(
    "intents",
    key_column(),
    integer("tx_key", "lookup key of the transaction id"),
    string("id"),
    integer("block"),
    integer("account_id", "acted for; of a rejected one its signer"),
    string(
        "by", "active, posting or the grantee's name; null if rejected, or older than the history", null=True
    ),
    string("action", length=32),
    string("code", "rejection code; null if accepted", length=16, null=True),
    string("ref", length=32, null=True),
    integer("seq", "the order that it placed", null=True),
)

orders: Final = table(
    "orders",
    key_column("seq"),
    integer("intent", "the intent that placed it, or its stop"),
    flag("protective"),  # placed by a protective stop: its id is the intent's with `~stop`
    integer("account_id"),
    integer("pair_id"),
    flag("is_buy"),
    flag("market"),
    integer("price", null=True),
    integer("quantity", "base units; quote units for a market buy"),
    integer("expiry", null=True),
    flag("to_wallet"),
    integer("maker_fee_bps", "at acceptance; null for market orders and stops", null=True, bits=16),
    integer("taker_fee_bps", "at acceptance", bits=16),
    integer("stop_price", "trigger of its protective stop", null=True),
    integer("stop_limit", null=True),
    integer("trigger_price", "of a stop; null for an order", null=True),
    Column("above", Boolean, nullable=True, comment="of a stop: reached at the trigger price or above it"),
    integer("time_in_force", "of a stop: see TIMES_IN_FORCE", null=True, bits=16),
    Column("post_only", Boolean, nullable=True, comment="of a stop"),
    integer("block"),
    integer("remaining"),
    integer("locked"),
    integer("received", "net of fees, in units of the token received"),
    integer("released", "locked funds returned, in units of the token given"),
    integer("traded_base"),
    integer("traded_quote"),
    integer("fees", "units of the token received"),
    integer("status", bits=16),
    string("fired_code", "why the order that it fired was rejected", length=16, null=True),
    integer("fired_seq", "the order that it fired", null=True),
    integer("closed_block", null=True),
    _fork(),
    comment="orders and stops, which share one sequence",
)

order_changes: Final = table(
    "order_changes",
    key_part("seq"),
    key_part("block"),
    integer("remaining"),
    integer("received"),
    integer("released"),
    integer("traded_base"),
    integer("traded_quote"),
    integer("fees"),
    comment="partially filled open orders, after each block that changed them",
    sqlite_with_rowid=False,
)

trades: Final = table(
    "trades",
    key_column(),
    integer("block"),
    integer("pair_id"),
    integer("taker"),
    integer("maker"),
    integer("taker_account_id"),
    integer("maker_account_id"),
    flag("taker_is_buy"),
    integer("price"),
    integer("quantity"),
    integer("quote_amount"),
    integer("buyer_fee", "base units"),
    integer("seller_fee", "quote units"),
)

transfers: Final = table(
    "transfers",
    key_column(),
    integer("block"),
    integer("token_id"),
    integer("debit_id"),
    integer("debit_bucket", bits=16),
    integer("credit_id"),
    integer("credit_bucket", bits=16),
    integer("amount"),
    comment="every ledger transfer, in order; buckets: 0 available, 1 locked, 2 withdrawing, 3 escrow",
)

balances: Final = table(
    "balances",
    key_part("account_id"),
    key_part("token_id"),
    *_buckets(),
    integer("escrow", "counterpart of deposits, never positive"),
    sqlite_with_rowid=False,
)

balance_changes: Final = table(
    "balance_changes",
    key_part("block"),
    key_part("account_id"),
    key_part("token_id"),
    *_buckets(),
    comment="balances after each block that changed them",
    sqlite_with_rowid=False,
)

totals: Final = table(
    "totals",
    key_part("token_id", KEY_TYPE),
    *_buckets(),
    comment="liabilities per token: the sum of all balances; no row for a token never moved",
)

holdings: Final = table(
    "holdings",
    string("symbol", primary_key=True),
    string("units", "as text: holdings have no limit"),
    comment="what a token's escrow account holds as far as the chain shows",
)

holding_changes: Final = table(
    "holding_changes",
    string("symbol", primary_key=True),
    key_part("block"),
    string("units"),
    comment="holdings after each block that changed them",
    sqlite_with_rowid=False,
)

marks: Final = table(
    "marks",
    key_part("pair_id"),
    key_part("block"),
    string("base", "base units, as text: sums have no limit"),
    string("quote", "quote units at the resting orders' prices"),
    comment="trades between different accounts, by block: the last ten are a pair's mark window",
    sqlite_with_rowid=False,
)

left_over: Final = table(
    "left_over",
    key_part("block"),
    key_part("pair_id"),
    comment="pairs left over by firing at the end of a block",
    sqlite_with_rowid=False,
)

grants: Final = table(
    "grants",
    key_column(),
    integer("account_id"),
    string("to", "posting, or an account"),
    integer("until", "when it ends"),
    integer("band_bps", bits=16),
    long_text("pairs", "comma between, sorted"),
    long_text("per_day", "SYMBOL:units, comma between, by symbol"),
    integer("block"),
    integer("status", "0 in force, 1 revoked, replaced or ended", bits=16),
    integer("closed_block", "of an ended one: the next active block", null=True),
    _fork(),
)

grant_usage: Final = table(
    "grant_usage",
    key_part("grant_n"),
    key_part("block"),
    integer("day", "Unix seconds // 86400"),
    long_text("used", "SYMBOL:units, comma between, by symbol"),
    comment="what was counted against a grant's allowance, after each block that counted something",
    sqlite_with_rowid=False,
)

timers: Final = table(
    "timers",
    key_column(),
    integer("account_id"),
    string("by", "active, posting or a grantee's name"),
    integer("due"),
    integer("block"),
    integer("status", "0 armed, 1 fired, replaced, disarmed or ended with its grant", bits=16),
    integer("closed_block", null=True),
    _fork(),
    comment="cancel-all timers",
)

change_sets: Final = table(
    "change_sets",
    key_column(),
    integer("block"),
    long_text("text", "JSON, see settlement.store.write.change_set"),
    comment="what the newest blocks changed, for the live stream; n as in blocks",
)

candles: Final = table(
    "candles",
    key_part("pair_id"),
    key_part("interval", Integer, "seconds: see CANDLES"),
    key_part("start", BigInteger, "a multiple of interval"),
    *map(integer, ("open", "high", "low", "close")),
    integer("base_high", "base volume, high part: in units of 2^32"),
    integer("base_low", "base volume, low part: below 2^32"),
    integer("quote_high"),
    integer("quote_low"),
    integer("trades"),
    comment="by block time; intervals without a trade have no row",
    sqlite_with_rowid=False,
)

deposits: Final = table(
    "deposits",
    key_column(),
    string("id"),
    integer("block"),
    integer("account_id"),
    integer("token_id"),
    integer("amount"),
    string("escrow"),
)

refunds: Final = table(
    "refunds",
    key_column(),
    string("id"),
    integer("block"),
    string("account"),
    string("chain"),
    string("symbol"),
    string("quantity", "as spelled on the chain, encoded"),
    string("value", "normal form, for comparison"),
    string("escrow"),
    integer("status", bits=16),
    string("paid_by", null=True),
    integer("closed_block", null=True),
    integer("arrival", "number in the sequence shared with deposits.n and ignored.n"),
    _fork(),
)

withdrawals: Final = table(
    "withdrawals",
    key_column(),
    string("id"),
    integer("block"),
    integer("account_id"),
    integer("token_id"),
    integer("amount"),
    string("to"),
    long_text("memo", "the trader's memo, encoded; null for the default memo", null=True),
    integer("status", bits=16),
    string("paid_by", null=True),
    integer("return_due", "when it is returned; null while nobody has asked for that", null=True),
    integer("returning_block", "in which that was asked for", null=True),
    integer("closed_block", null=True),
    _fork(),
)

ignored: Final = table(
    "ignored",
    key_column(),
    string("id"),
    integer("block"),
    string("account"),
    string("chain"),
    string("symbol"),
    string("quantity", "as spelled on the chain, encoded"),
    string("escrow"),
    comment="arrivals for which nothing is due",
)

outflows: Final = table(
    "outflows",
    key_column(),
    string("id"),
    integer("block"),
    string("escrow"),
    string("chain"),
    string("symbol"),
    string("amount", "units by which holdings fell, or = and the spelled quantity"),
    string("to"),
)

internal_moves: Final = table(
    "internal_moves",
    key_column(),
    string("id"),
    integer("block"),
    string("sender"),
    string("recipient"),
    string("chain"),
    string("symbol"),
    string("amount", "units by which holdings changed, or = and the spelled quantity"),
)

checkpoints: Final = table(
    "checkpoints",
    key_column(),
    string("id"),
    string("account", "who signed it"),
    integer("block", "block of the checkpoint"),
    integer("claimed_block"),
    string("state_hash", length=64),
    string("journal_hash", length=64),
)

receipts: Final = table(
    "receipts",
    key_column("block"),
    long_text("text", "the relevant sidechain receipts, canonical JSON"),
    comment="with these a block can be replayed without the sidechain",
)

escrow_operations: Final = table(
    "escrow_operations",
    key_part("acting", Boolean, "it signed it, or its keys are concerned; else it is only named"),
    key_part("block"),
    key_part("position", Integer, "in the block, from 0"),
    string("transaction_id"),
    integer("operation_index", bits=32),
    string("type"),
    string("account"),
    long_text("text", "JSON of the operation's value: ASCII, sorted keys, long texts cut"),
    comment="operations on escrow accounts that the protocol does not read; not part of the state",
    sqlite_with_rowid=False,
)

escrow_balances: Final = table(
    "escrow_balances",
    string("symbol", primary_key=True),
    string("units", "as text: the chain's balance has no limit"),
    integer("block", "newest block that the node had executed"),
    integer("updated", "seconds since 1970, UTC, by the indexer's clock"),
    comment="real balances of the tokens' escrow accounts, as nodes tell them; not part of the state",
)

state_check: Final = table(
    "state_check",
    single_row_key(),
    integer("block"),
    string("state_hash", length=64),
    comment="when the whole state was last compared with the rules; not part of the state",
)

indexer_status: Final = table(
    "indexer_status",
    single_row_key(),
    integer("updated", "seconds since 1970, UTC, by the indexer's clock"),
    string("mode", "catching up, following, outdated or stopped"),
    integer("irreversible", "last irreversible block reported by a node", null=True),
    long_text("waiting_for", "null while blocks arrive", null=True),
    integer("waiting_since", null=True),
    long_text("nodes", "status of each node: a JSON array", null=True),
    long_text("peers", "result of comparing with each peer: a JSON array", null=True),
    long_text("claims", "our state hash by n of the checkpoint: a JSON object", null=True),
    comment="what the indexer is doing, for operators; not part of the state",
)


def lease_columns() -> list[Column[Any]]:
    return [
        single_row_key(),
        string("token", "random, new for each holding", length=32),
        string("host"),
        integer("pid"),
        string("pid_namespace", "boot id and PID namespace; null if unknown", null=True),
        string("process_start", "clock ticks from boot to the start of the process", null=True),
        integer("since", "seconds since 1970, UTC, by the holder's clock"),
        integer("heartbeat", "time of the last heartbeat, by the same clock"),
    ]


lease: Final = table(
    "lease",
    *lease_columns(),
    comment="the indexer that may write; not part of the state",
)
