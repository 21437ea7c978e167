"""Intents and their outcomes: by transaction, by client reference, or rejected orders."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, or_, select

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.paging import Page, make_page
from settlement.store.transaction_keys import transaction_key

ORDER_ACTIONS: Final = ("buy", "sell", "marketBuy", "marketSell", "replace")
"""Actions that place an order."""


class IntentRow(NamedTuple):
    """An intent and its outcome."""

    n: int
    id: str
    account: str
    action: str
    code: str | None  # rejection code; None if accepted
    ref: str | None
    by: str | None  # active, posting or the grantee's name; None if rejected
    seq: int | None  # the order or stop that it placed
    placed_stop: bool  # whether that is a stop
    fired_code: str | None  # why the order that this has fired was rejected
    fired_seq: int | None  # the order that this has fired
    block: int
    timestamp: int | None  # None if its block has no row in `blocks`


_i, _o = schema.intents.c, schema.orders.c
_INTENTS = (
    select(
        _i.n,
        _i.id,
        schema.accounts.c.name,
        _i.action,
        _i.code,
        _i.ref,
        _i.by,
        _i.seq,
        _o.trigger_price.is_not(None),
        _o.fired_code,
        _o.fired_seq,
        _i.block,
        schema.blocks.c.timestamp,
    )
    .select_from(schema.intents)
    .join(schema.accounts, schema.accounts.c.id == _i.account_id)
    .outerjoin(schema.orders, _o.seq == _i.seq)
    .outerjoin(schema.blocks, schema.blocks.c.number == _i.block)
)
_prefix = bindparam("prefix", type_=_i.id.type)
_OF_TRANSACTION = (
    _INTENTS.where(
        _i.tx_key == bindparam("key"),
        or_(_i.id == bindparam("id"), func.substr(_i.id, 1, func.length(_prefix)) == _prefix),
        _i.n > bindparam("after"),
    )
    .order_by(_i.n)
    .limit(bindparam("rows"))
)
_OF_REF = (
    _INTENTS.where(
        _i.account_id == bindparam("account"),
        _i.ref.is_not(None),  # the condition of the partial index
        _i.ref == bindparam("ref"),
        _i.n > bindparam("after"),
    )
    .order_by(_i.n)
    .limit(bindparam("rows"))
)
_REJECTED = _INTENTS.where(_i.code.is_not(None), _i.action.in_(ORDER_ACTIONS)).order_by(_i.n.desc())
_REJECTED_OF_ACCOUNT = _REJECTED.where(
    _i.account_id == bindparam("account"), _i.n < bindparam("before")
).limit(bindparam("rows"))
_REJECTED_OF_ID = _REJECTED.where(_i.tx_key == bindparam("key"), _i.id == bindparam("id")).limit(1)


def list_intents(connection: Connection, id_: str, after: int | None, limit: int) -> Page[IntentRow]:
    """The intents of a transaction, or the intent with that id, in the order of execution."""
    values = {"key": transaction_key(id_), "id": id_, "prefix": f"{id_}-", "after": after or 0}
    return _page(connection, _OF_TRANSACTION, values, limit)


def list_intents_of_ref(
    connection: Connection, account_id: int, ref: str, after: int | None, limit: int
) -> Page[IntentRow]:
    """The intents of an account with this reference, in the order of execution."""
    return _page(connection, _OF_REF, {"account": account_id, "ref": ref, "after": after or 0}, limit)


def list_rejected_orders(
    connection: Connection, account_id: int, before: int | None, limit: int
) -> Page[IntentRow]:
    """The rejected orders of an account, newest first."""
    values = {"account": account_id, "before": MAX_UNITS if before is None else before}
    return _page(connection, _REJECTED_OF_ACCOUNT, values, limit)


def find_rejected_order(connection: Connection, order_id: str) -> IntentRow | None:
    values = {"key": transaction_key(order_id), "id": order_id}
    row = connection.execute(_REJECTED_OF_ID, values).one_or_none()
    return None if row is None else IntentRow(*row)


def _page(
    connection: Connection, statement: Select[Any], values: dict[str, Any], limit: int
) -> Page[IntentRow]:
    found = connection.execute(statement, {**values, "rows": limit + 1})
    return make_page([IntentRow(*row) for row in found], limit, lambda row: row.n)
