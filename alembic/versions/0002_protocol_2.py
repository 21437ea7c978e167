"""The tables of protocol 2.

The column functions are those of `settlement.store.schema`, copied because a revision must not change later.
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, SmallInteger, String, Text

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None

KEY_TYPE = BigInteger().with_variant(Integer(), "sqlite")
PLAIN_TEXT = Text(collation="C")


def key_column(name="n"):
    return Column(name, KEY_TYPE, primary_key=True, autoincrement=False)


def key_part(name, type_=BigInteger, comment=None):
    return Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def single_row_key():
    return key_part("id", Integer, "always 1")


def integer(name, comment=None, *, null=False, bits=64):
    type_ = {16: SmallInteger, 32: Integer, 64: BigInteger}[bits]
    return Column(name, type_, nullable=null, comment=comment)


def flag(name):
    return Column(name, Boolean, nullable=False)


def string(name, comment=None, *, length=None, null=False, **options):
    type_ = String(length).with_variant(PLAIN_TEXT, "postgresql")
    return Column(name, type_, nullable=null, comment=comment, **options)


def long_text(name, comment=None, *, null=False):
    return Column(name, Text().with_variant(PLAIN_TEXT, "postgresql"), nullable=null, comment=comment)


def _buckets():
    return [integer(name) for name in ("available", "locked", "withdrawing")]


def _fork():
    return integer("fork", "interval tree node; null while open, or closed in its first block", null=True)


def lease_columns():
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


def upgrade() -> None:
    op.create_table(
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
    op.create_table("accounts", key_column("id"), string("name", unique=True))
    op.create_table(
        "tokens",
        key_column("id"),
        string("symbol", unique=True),
        integer("precision", bits=16),
        string("chain"),
        string("escrow"),
        integer("min_withdrawal"),
    )
    op.create_table(
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
    op.create_table(
        "settings",
        key_column(),
        integer("block", "start_block - 1 for what the venue file says"),
        string("kind", "token, pair, rules or upgrade"),
        string("key", "symbol or pair; empty for the others"),
        long_text("line", "the journal line without LF"),
        comment="every token, pair, rules and upgrade line: what held at a past block",
    )
    op.create_table(
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
    op.create_table(
        "journal", key_column("block"), long_text("lines", "the block's journal lines, each ending with LF")
    )
    op.create_table(
        "intents",
        key_column(),
        integer("tx_key", "lookup key of the transaction id"),
        string("id"),
        integer("block"),
        integer("account_id", "acted for; of a rejected one its signer"),
        string(
            "by",
            "active, posting or the grantee's name; null if rejected, or older than the history",
            null=True,
        ),
        string("action", length=32),
        string("code", "rejection code; null if accepted", length=16, null=True),
        string("ref", length=32, null=True),
        integer("seq", "the order that it placed", null=True),
    )
    op.create_table(
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
        Column(
            "above", Boolean, nullable=True, comment="of a stop: reached at the trigger price or above it"
        ),
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
    op.create_table(
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
    op.create_table(
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
    op.create_table(
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
    op.create_table(
        "balances",
        key_part("account_id"),
        key_part("token_id"),
        *_buckets(),
        integer("escrow", "counterpart of deposits, never positive"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "balance_changes",
        key_part("block"),
        key_part("account_id"),
        key_part("token_id"),
        *_buckets(),
        comment="balances after each block that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "totals",
        key_part("token_id", KEY_TYPE),
        *_buckets(),
        comment="liabilities per token: the sum of all balances; no row for a token never moved",
    )
    op.create_table(
        "holdings",
        string("symbol", primary_key=True),
        string("units", "as text: holdings have no limit"),
        comment="what a token's escrow account holds as far as the chain shows",
    )
    op.create_table(
        "holding_changes",
        string("symbol", primary_key=True),
        key_part("block"),
        string("units"),
        comment="holdings after each block that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "marks",
        key_part("pair_id"),
        key_part("block"),
        string("base", "base units, as text: sums have no limit"),
        string("quote", "quote units at the resting orders' prices"),
        comment="trades between different accounts, by block: the last ten are a pair's mark window",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "left_over",
        key_part("block"),
        key_part("pair_id"),
        comment="pairs left over by firing at the end of a block",
        sqlite_with_rowid=False,
    )
    op.create_table(
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
    op.create_table(
        "grant_usage",
        key_part("grant_n"),
        key_part("block"),
        integer("day", "Unix seconds // 86400"),
        long_text("used", "SYMBOL:units, comma between, by symbol"),
        comment="what was counted against a grant's allowance, after each block that counted something",
        sqlite_with_rowid=False,
    )
    op.create_table(
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
    op.create_table(
        "change_sets",
        key_column(),
        integer("block"),
        long_text("text", "JSON, see settlement.store.write.change_set"),
        comment="what the newest blocks changed, for the live stream; n as in blocks",
    )
    op.create_table(
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
    op.create_table(
        "deposits",
        key_column(),
        string("id"),
        integer("block"),
        integer("account_id"),
        integer("token_id"),
        integer("amount"),
        string("escrow"),
    )
    op.create_table(
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
    op.create_table(
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
    op.create_table(
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
    op.create_table(
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
    op.create_table(
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
    op.create_table(
        "checkpoints",
        key_column(),
        string("id"),
        string("account", "who signed it"),
        integer("block", "block of the checkpoint"),
        integer("claimed_block"),
        string("state_hash", length=64),
        string("journal_hash", length=64),
    )
    op.create_table(
        "receipts",
        key_column("block"),
        long_text("text", "the relevant sidechain receipts, canonical JSON"),
        comment="with these a block can be replayed without the sidechain",
    )
    op.create_table(
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
    op.create_table(
        "escrow_balances",
        string("symbol", primary_key=True),
        string("units", "as text: the chain's balance has no limit"),
        integer("block", "newest block that the node had executed"),
        integer("updated", "seconds since 1970, UTC, by the indexer's clock"),
        comment="real balances of the tokens' escrow accounts, as nodes tell them; not part of the state",
    )
    op.create_table(
        "state_check",
        single_row_key(),
        integer("block"),
        string("state_hash", length=64),
        comment="when the whole state was last compared with the rules; not part of the state",
    )
    op.create_table(
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
    op.create_table(
        "lease",
        *lease_columns(),
        comment="the indexer that may write; not part of the state",
    )
    op.create_table(
        "payout_transactions",
        key_column(),
        string("id", length=40, unique=True),
        string("escrow"),
        integer("slot"),
        integer("expires", "chain time"),
        long_text("transaction", "JSON without signatures"),
        long_text("signatures", "JSON object: hex signature by public key"),
        integer("weight", "total weight of the signatures", bits=32),
        integer("needed", "weight required", bits=32),
        integer("first_sent", "chain time; null until sent", null=True),
        integer("last_sent", null=True),
        long_text("answer", "last response of a node", null=True),
        comment="signed transactions, committed before they are sent",
    )
    op.create_table(
        "payout_members",
        key_part("kind", SmallInteger, "0 withdrawal, 1 refund"),
        key_part("claim"),
        key_part("transaction_n"),
        comment="the claims that a transaction pays",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_refusals",
        key_part("transaction_n"),
        key_part("kind", SmallInteger),
        key_part("claim"),
        long_text("reason", "the chain's error"),
        comment="members that a transaction did not settle although it was executed, or will never be",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_approvals",
        key_part("kind", SmallInteger),
        key_part("claim"),
        integer("since", "chain time; refusals before it do not count"),
        comment="claims that the operator approved: paid regardless of limits and of earlier refusals",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_token_approvals",
        key_column("token_id"),
        comment="tokens listed on the chain of which the operator allowed payments",
    )
    op.create_table(
        "payout_notes",
        key_part("kind", SmallInteger),
        key_part("claim"),
        string("state"),
        long_text("reason", null=True),
        integer("next_attempt", "chain time", null=True),
        comment="payment status of each pending claim",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_settings",
        single_row_key(),
        string("policy_hash", "null until a process has signed", length=64, null=True),
        integer("hold_from", "chain time; claims opened later are not held"),
        integer("hold_until", "chain time until which the others are held"),
        integer("pause", "0 running, 1 by the operator, 2 after a restore, 3 by the escrow watch", bits=16),
        long_text("pause_reason", "of the escrow watch", null=True),
        integer("outflows_seen", "n of the newest outflow that the escrow watch has seen", null=True),
        integer("decisions", "number of the operator's decisions: tells a restored database"),
    )
    op.create_table(
        "payout_lease",
        *lease_columns(),
        comment="the payouts process that may write",
    )
