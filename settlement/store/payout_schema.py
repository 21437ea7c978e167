"""The tables of payouts, written by `peakedex payouts` and by a restore. They are not part of the state."""

from __future__ import annotations

from typing import Final

from sqlalchemy import SmallInteger

from settlement.store.schema import (
    integer,
    key_column,
    key_part,
    lease_columns,
    long_text,
    single_row_key,
    string,
    table,
)

transactions: Final = table(
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

members: Final = table(
    "payout_members",
    key_part("kind", SmallInteger, "0 withdrawal, 1 refund"),
    key_part("claim"),
    key_part("transaction_n"),
    comment="the claims that a transaction pays",
    sqlite_with_rowid=False,
)

refusals: Final = table(
    "payout_refusals",
    key_part("transaction_n"),
    key_part("kind", SmallInteger),
    key_part("claim"),
    long_text("reason", "the chain's error"),
    comment="members that a transaction did not settle although it was executed, or will never be",
    sqlite_with_rowid=False,
)

approvals: Final = table(
    "payout_approvals",
    key_part("kind", SmallInteger),
    key_part("claim"),
    integer("since", "chain time; refusals before it do not count"),
    comment="claims that the operator approved: paid regardless of limits and of earlier refusals",
    sqlite_with_rowid=False,
)

token_approvals: Final = table(
    "payout_token_approvals",
    key_column("token_id"),
    comment="tokens listed on the chain of which the operator allowed payments",
)

notes: Final = table(
    "payout_notes",
    key_part("kind", SmallInteger),
    key_part("claim"),
    string("state"),
    long_text("reason", null=True),
    integer("next_attempt", "chain time", null=True),
    comment="payment status of each pending claim",
    sqlite_with_rowid=False,
)

settings: Final = table(
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

lease: Final = table(
    "payout_lease",
    *lease_columns(),
    comment="the payouts process that may write",
)
