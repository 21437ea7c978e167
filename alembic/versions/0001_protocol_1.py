"""The tables of protocol 1."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PLAIN = sa.Text(collation="C")


def text(length=None):
    return sa.String(length).with_variant(PLAIN, "postgresql")


def long_text():
    return sa.Text().with_variant(PLAIN, "postgresql")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "blocks",
        sa.Column("number", KEY, autoincrement=False, nullable=False),
        sa.Column("block_id", text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("journal_hash", text(64), nullable=False, comment="after this block"),
        sa.Column("n", sa.BigInteger(), nullable=False, comment="1, 2, 3 … without gaps"),
        sa.Column(
            "last_seq", sa.BigInteger(), nullable=False, comment="this and the next three: after this block"
        ),
        sa.Column("last_trade", sa.BigInteger(), nullable=False),
        sa.Column("last_withdrawal", sa.BigInteger(), nullable=False),
        sa.Column("last_refund", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        comment="blocks in which anything of ours happened",
    )
    op.create_table(
        "checkpoints",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False, comment="in which it was claimed"),
        sa.Column("claimed_block", sa.BigInteger(), nullable=False),
        sa.Column("state_hash", text(64), nullable=False),
        sa.Column("journal_hash", text(64), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("venue_hash", text(64), nullable=False),
        sa.Column("venue_text", long_text(), nullable=False, comment="the venue file as last read"),
        sa.Column(
            "block",
            sa.BigInteger(),
            nullable=False,
            comment="last block recorded; start_block - 1 before any",
        ),
        sa.Column("block_id", text(), nullable=True, comment="null before any block"),
        sa.Column("timestamp", sa.BigInteger(), nullable=False, comment="seconds since 1970, UTC"),
        sa.Column("journal_hash", text(64), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_trade", sa.BigInteger(), nullable=False),
        sa.Column("last_withdrawal", sa.BigInteger(), nullable=False),
        sa.Column("last_refund", sa.BigInteger(), nullable=False),
        sa.Column(
            "last_block_n",
            sa.BigInteger(),
            nullable=False,
            comment="n of the newest row of blocks, 0 before any",
        ),
        sa.Column("max_open_orders", sa.Integer(), nullable=False),
        sa.Column("fee_account", text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "holdings",
        sa.Column("escrow", text(), nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column("units", text(), nullable=False, comment="as text: an outflow can exceed 64 bits"),
        sa.PrimaryKeyConstraint("escrow", "symbol"),
    )
    op.create_table(
        "holding_changes",
        sa.Column("escrow", text(), nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("units", text(), nullable=False),
        sa.PrimaryKeyConstraint("escrow", "symbol", "block"),
        comment="holdings as they stood after each block that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "internal_moves",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("sender", text(), nullable=False),
        sa.Column("recipient", text(), nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column(
            "amount",
            text(),
            nullable=False,
            comment="units, or the literal quantity of an unlisted token",
        ),
        sa.Column(
            "units",
            text(),
            nullable=True,
            comment="by which holdings changed; null where it was none of ours",
        ),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "journal",
        sa.Column("block", KEY, autoincrement=False, nullable=False),
        sa.Column(
            "lines",
            long_text(),
            nullable=False,
            comment="the block's part of the journal, each line with its LF",
        ),
        sa.PrimaryKeyConstraint("block"),
    )
    op.create_table(
        "outflows",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("escrow", text(), nullable=False),
        sa.Column("chain", text(), nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column("quantity", text(), nullable=False),
        sa.Column("to", text(), nullable=False),
        sa.Column(
            "units",
            text(),
            nullable=True,
            comment="by which holdings fell; null where it was none of ours",
        ),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "pairs",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("base", text(), nullable=False),
        sa.Column("quote", text(), nullable=False),
        sa.Column("price_decimals", sa.SmallInteger(), nullable=False),
        sa.Column("quantity_decimals", sa.SmallInteger(), nullable=False),
        sa.Column("maker_fee_bps", sa.SmallInteger(), nullable=False),
        sa.Column("taker_fee_bps", sa.SmallInteger(), nullable=False),
        sa.Column("price_policy", text(), nullable=False),
        sa.Column("self_trade", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "refunds",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("account", text(), nullable=False),
        sa.Column("chain", text(), nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column("quantity", text(), nullable=False, comment="literal, encoded"),
        sa.Column("value", text(), nullable=False, comment="normal form, for comparing"),
        sa.Column("escrow", text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("paid_by", text(), nullable=True),
        sa.Column("closed_block", sa.BigInteger(), nullable=True),
        sa.Column(
            "arrival",
            sa.BigInteger(),
            nullable=False,
            comment="its place among deposits: one sequence with deposits.n",
        ),
        sa.Column("fork", sa.BigInteger(), nullable=True, comment="where past blocks are looked up"),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("symbol", text(), nullable=False),
        sa.Column("precision", sa.SmallInteger(), nullable=False),
        sa.Column("chain", text(), nullable=False),
        sa.Column("escrow", text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("symbol"),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("locked", sa.BigInteger(), nullable=False),
        sa.Column("withdrawing", sa.BigInteger(), nullable=False),
        sa.Column(
            "escrow", sa.BigInteger(), nullable=False, comment="counterpart of deposits, never positive"
        ),
        sa.PrimaryKeyConstraint("account_id", "token_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deposits",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("escrow", text(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "intents",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("tx_key", sa.BigInteger(), nullable=False, comment="look-up key of the transaction id"),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("action", text(32), nullable=False),
        sa.Column("code", text(16), nullable=True, comment="null where accepted"),
        sa.Column("ref", text(32), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="the order that it placed"),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "transfers",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("debit_id", sa.BigInteger(), nullable=False),
        sa.Column("debit_bucket", sa.SmallInteger(), nullable=False),
        sa.Column("credit_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_bucket", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
        comment="every ledger transfer, in order; buckets as in settlement.core.accounts.BUCKETS",
    )
    op.create_table(
        "withdrawals",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("to", text(), nullable=False),
        sa.Column("memo", long_text(), nullable=True, comment="the trader's own, encoded"),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("paid_by", text(), nullable=True),
        sa.Column("closed_block", sa.BigInteger(), nullable=True),
        sa.Column("fork", sa.BigInteger(), nullable=True, comment="where past blocks are looked up"),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "orders",
        sa.Column("seq", KEY, autoincrement=False, nullable=False),
        sa.Column("intent", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.BigInteger(), nullable=False),
        sa.Column("is_buy", sa.Boolean(), nullable=False),
        sa.Column("market", sa.Boolean(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column(
            "quantity", sa.BigInteger(), nullable=False, comment="base units; quote units for a market buy"
        ),
        sa.Column("expiry", sa.BigInteger(), nullable=True),
        sa.Column("to_wallet", sa.Boolean(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("locked", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="net of fees, units of what it gets"),
        sa.Column("released", sa.BigInteger(), nullable=False, comment="units of what it gives"),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("closed_block", sa.BigInteger(), nullable=True),
        sa.Column("fork", sa.BigInteger(), nullable=True, comment="where past blocks are looked up"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "trades",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.BigInteger(), nullable=False),
        sa.Column("taker", sa.BigInteger(), nullable=False),
        sa.Column("maker", sa.BigInteger(), nullable=False),
        sa.Column("taker_account_id", sa.BigInteger(), nullable=False),
        sa.Column("maker_account_id", sa.BigInteger(), nullable=False),
        sa.Column("taker_is_buy", sa.Boolean(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("quote_amount", sa.BigInteger(), nullable=False),
        sa.Column("buyer_fee", sa.BigInteger(), nullable=False, comment="base units"),
        sa.Column("seller_fee", sa.BigInteger(), nullable=False, comment="quote units"),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "order_changes",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "block"),
        comment="open orders filled in part, as they stood after each block that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "candles",
        sa.Column("pair_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "interval", sa.Integer(), autoincrement=False, nullable=False, comment="seconds: see CANDLES"
        ),
        sa.Column(
            "start", sa.BigInteger(), autoincrement=False, nullable=False, comment="a multiple of interval"
        ),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("close", sa.BigInteger(), nullable=False),
        sa.Column(
            "base_high", sa.BigInteger(), nullable=False, comment="volume, in units of 2^32 base units"
        ),
        sa.Column(
            "base_low", sa.BigInteger(), nullable=False, comment="the rest of it, below 2^32 base units"
        ),
        sa.Column("quote_high", sa.BigInteger(), nullable=False),
        sa.Column("quote_low", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pair_id", "interval", "start"),
        comment="by block time; intervals without a trade have no row",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "balance_changes",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("locked", sa.BigInteger(), nullable=False),
        sa.Column("withdrawing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block", "account_id", "token_id"),
        comment="every wallet that a block moved something of, as it stood after that block",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "totals",
        sa.Column("token_id", KEY, autoincrement=False, nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("locked", sa.BigInteger(), nullable=False),
        sa.Column("withdrawing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id"),
        comment="what the venue owes of each token, over all accounts; no row where none ever moved",
    )
    op.create_table(
        "receipts",
        sa.Column("block", KEY, autoincrement=False, nullable=False),
        sa.Column(
            "text",
            long_text(),
            nullable=False,
            comment="what counted of the sidechain's receipts, canonical JSON",
        ),
        sa.PrimaryKeyConstraint("block"),
        comment="with these a block can be judged again without the sidechain",
    )
    op.create_table(
        "indexer_status",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column(
            "updated",
            sa.BigInteger(),
            nullable=False,
            comment="seconds since 1970, UTC, by the indexer's clock",
        ),
        sa.Column("mode", text(), nullable=False, comment="catching up, following or stopped"),
        sa.Column(
            "irreversible",
            sa.BigInteger(),
            nullable=True,
            comment="last irreversible block that a node named",
        ),
        sa.Column("waiting_for", long_text(), nullable=True, comment="null while blocks flow"),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("nodes", long_text(), nullable=True, comment="how each node is: a JSON array"),
        sa.Column(
            "peers", long_text(), nullable=True, comment="what comparing with each peer gave: a JSON array"
        ),
        sa.Column(
            "claims", long_text(), nullable=True, comment="our state hash by checkpoint's n: a JSON object"
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="for people: what the indexer is doing; never part of the state",
    )
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("token", text(32), nullable=False, comment="made up anew for each holding"),
        sa.Column("host", text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("place", text(), nullable=True, comment="this boot and process space; null if not known"),
        sa.Column(
            "started", text(), nullable=True, comment="when the process was, by the system's own count"
        ),
        sa.Column(
            "since", sa.BigInteger(), nullable=False, comment="seconds since 1970, UTC, by the holder's clock"
        ),
        sa.Column(
            "heartbeat", sa.BigInteger(), nullable=False, comment="the same, when it last said that it lives"
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="which indexer may write; never part of the state",
    )
    _payouts()


def _payouts() -> None:
    op.create_table(
        "payout_transactions",
        sa.Column("n", KEY, autoincrement=False, nullable=False),
        sa.Column("id", text(40), nullable=False),
        sa.Column("escrow", text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column(
            "expires", sa.BigInteger(), nullable=False, comment="seconds since 1970, by the chain's time"
        ),
        sa.Column("transaction", long_text(), nullable=False, comment="JSON without signatures"),
        sa.Column("signatures", long_text(), nullable=False, comment="JSON object: hex digits by public key"),
        sa.Column("weight", sa.Integer(), nullable=False, comment="what the signatures weigh"),
        sa.Column("needed", sa.Integer(), nullable=False, comment="what they must weigh"),
        sa.Column(
            "first_sent",
            sa.BigInteger(),
            nullable=True,
            comment="the chain's time; null until it was sent",
        ),
        sa.Column("last_sent", sa.BigInteger(), nullable=True),
        sa.Column("answer", long_text(), nullable=True, comment="what a node said of it last"),
        sa.PrimaryKeyConstraint("n"),
        sa.UniqueConstraint("id"),
        comment="signed payments, committed before the first one hears of them",
    )
    op.create_table(
        "payout_members",
        sa.Column(
            "kind",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="0 withdrawal, 1 refund",
        ),
        sa.Column("claim", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transaction_n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kind", "claim", "transaction_n"),
        comment="which claims a transaction pays",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_decisions",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("claim", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "decision",
            sa.SmallInteger(),
            nullable=False,
            comment="0 pay it above all limits, 1 do not pay it",
        ),
        sa.Column(
            "since",
            sa.BigInteger(),
            nullable=True,
            comment="of a 1: the chain's time then, seconds since 1970",
        ),
        sa.PrimaryKeyConstraint("kind", "claim"),
        comment="what the operator has said of single claims",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_notes",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("claim", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("reason", long_text(), nullable=True),
        sa.Column(
            "next_attempt",
            sa.BigInteger(),
            nullable=True,
            comment="seconds since 1970, by the chain's time",
        ),
        sa.PrimaryKeyConstraint("kind", "claim"),
        comment="for people: how it is with each pending claim",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payout_settings",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column(
            "policy_hash",
            text(64),
            nullable=True,
            comment="null where no process has signed yet",
        ),
        sa.Column(
            "hold_from",
            sa.BigInteger(),
            nullable=False,
            comment="claims opened later are free of the hold",
        ),
        sa.Column(
            "hold_until",
            sa.BigInteger(),
            nullable=False,
            comment="the others are held until then; chain time",
        ),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "payout_lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("token", text(32), nullable=False, comment="made up anew for each holding"),
        sa.Column("host", text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("place", text(), nullable=True, comment="this boot and process space; null if not known"),
        sa.Column(
            "started", text(), nullable=True, comment="when the process was, by the system's own count"
        ),
        sa.Column(
            "since", sa.BigInteger(), nullable=False, comment="seconds since 1970, UTC, by the holder's clock"
        ),
        sa.Column(
            "heartbeat", sa.BigInteger(), nullable=False, comment="the same, when it last said that it lives"
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="which payouts process works on this database",
    )


def downgrade() -> None:
    op.drop_table("payout_lease")
    op.drop_table("payout_settings")
    op.drop_table("payout_notes")
    op.drop_table("payout_decisions")
    op.drop_table("payout_members")
    op.drop_table("payout_transactions")
    op.drop_table("lease")
    op.drop_table("indexer_status")
    op.drop_table("receipts")
    op.drop_table("totals")
    op.drop_table("balance_changes")
    op.drop_table("candles")
    op.drop_table("order_changes")
    op.drop_table("trades")
    op.drop_table("orders")
    op.drop_table("withdrawals")
    op.drop_table("transfers")
    op.drop_table("intents")
    op.drop_table("deposits")
    op.drop_table("balances")
    op.drop_table("tokens")
    op.drop_table("refunds")
    op.drop_table("pairs")
    op.drop_table("outflows")
    op.drop_table("journal")
    op.drop_table("internal_moves")
    op.drop_table("holding_changes")
    op.drop_table("holdings")
    op.drop_table("cursor")
    op.drop_table("checkpoints")
    op.drop_table("blocks")
    op.drop_table("accounts")
