"""Real balances of escrow accounts, as one node of each chain tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from indexer.chain.blocks import NaiAmount, native_amount
from settlement.core.parsing.amounts import quantity_units, read_quantity
from settlement.core.parsing.names import NATIVE_COINS
from settlement.net.http_client import NodeError
from settlement.net.json_rpc import JsonRpcClient

_PAGE: Final = 1000
_MAX_PAGES: Final = 50
_ACCOUNTS_PER_CALL: Final = 100

Place = tuple[str, str]
"""Escrow account and symbol."""


class CoinBalances(NamedTuple):
    """Accounts of Hive."""

    accounts: set[str]  # that exist, of those asked for
    amounts: dict[Place, str]  # decimal text, where not zero


class _Account(msgspec.Struct):
    name: str
    balance: NaiAmount | str
    hbd_balance: NaiAmount | str


class _Accounts(msgspec.Struct):
    accounts: list[_Account]


_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]  # of a block


class _Properties(msgspec.Struct):
    head_block_number: _Number


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: _Number
    last_block_ref_hive_block_number: _Number | None = None  # missing on older nodes


def read_head(node: JsonRpcClient) -> int:
    """The head block of a Hive node. Raises NodeError."""
    return node.call("database_api.get_dynamic_global_properties", {}, _Properties).head_block_number


def read_executed(node: JsonRpcClient) -> int:
    """The newest Hive block of which a Hive-Engine node has executed something. Raises NodeError."""
    status = node.call("getStatus", {}, _Status, "/blockchain")
    executed = status.last_block_ref_hive_block_number
    return status.last_parsed_hive_block_number - 1 if executed is None else executed


def read_coins(node: JsonRpcClient, names: Sequence[str]) -> CoinBalances:
    """HIVE and HBD of accounts. Raises NodeError and BlockError."""
    found = CoinBalances(set(), {})
    for at in range(0, len(names), _ACCOUNTS_PER_CALL):
        some = {"accounts": list(names[at : at + _ACCOUNTS_PER_CALL])}
        answer = node.call("database_api.find_accounts", some, _Accounts)
        for account in answer.accounts:
            found.accounts.add(account.name)
            for balance in (account.balance, account.hbd_balance):
                amount, symbol = native_amount(balance)
                if amount.strip("0.") != "":
                    found.amounts[account.name, symbol] = amount
    return found


def read_tokens(
    node: JsonRpcClient, names: Iterable[str], symbols: Iterable[str] | None = None
) -> dict[Place, str]:
    """Tokens of accounts on the sidechain, where not zero: decimal text as the node spells it.

    `symbols` None: all of them. Raises NodeError.
    """
    accounts = list(names)
    query: dict[str, Any] = {"account": {"$in": accounts}}
    if symbols is not None:
        query["symbol"] = {"$in": list(symbols)}
    amounts = {}
    for row in find_rows(node, "balances", query):
        account, symbol, amount = (text_of(row, name) for name in ("account", "symbol", "balance"))
        if account in accounts and symbol not in NATIVE_COINS and amount.strip("0.") != "":
            amounts[account, symbol] = amount
    return amounts


def find_rows(
    node: JsonRpcClient, table: str, query: dict[str, Any], contract: str = "tokens"
) -> list[dict[str, Any]]:
    """All rows of a contract's table that match; none of an unknown one. Raises NodeError."""
    rows: list[dict[str, Any]] = []
    for page in range(_MAX_PAGES):
        asked = {"contract": contract, "table": table, "query": query}
        limits = {"limit": _PAGE, "offset": page * _PAGE, "indexes": []}
        # An unknown contract or table gives null.
        rows_or_null: Any = list[dict[str, Any]] | None
        answer = node.call("find", {**asked, **limits}, rows_or_null, "/contracts")
        found: list[dict[str, Any]] = answer or []
        rows += found
        if len(found) < _PAGE:
            return rows
    raise NodeError(f"{node.url}: more than {_MAX_PAGES * _PAGE} rows in {table}")


def text_of(row: dict[str, Any], name: str) -> str:
    """A text field of a row. Raises NodeError."""
    value = row.get(name)
    if not isinstance(value, str):
        raise NodeError(f"a row of the sidechain's tables has no {name}")
    return value


def units_of(amount: str, precision: int) -> int:
    """A balance in the ledger's units, rounded down."""
    quantity = read_quantity(amount)
    if quantity is None or not quantity.digits:
        return 0
    finer = max(0, -(quantity.exponent + precision))
    units = quantity_units(quantity, precision + finer)
    return 0 if units is None else units // 10**finer
