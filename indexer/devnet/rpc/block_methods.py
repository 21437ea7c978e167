"""RPC methods of blocks and transactions, and the broadcasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from indexer.devnet.hive.errors import CODE_ASSERT
from indexer.devnet.hive.operations import (
    OperationError,
    condenser_operation,
    parse_operation,
)
from indexer.devnet.hive.serialization import Transaction, parse_time
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.json_rpc import Method, Params, RpcError
from settlement.net.hive_formats import VESTS

MAX_RANGE: Final = 1000
MAX_HISTORY: Final = 1000
_HEADER_FIELDS: Final = ("previous", "timestamp", "witness", "transaction_merkle_root", "extensions")
_VIRTUAL_POSITION: Final = 4294967295

Row = dict[str, Any]


def condenser_block(stored: bytes) -> Row:
    """A stored block (block_api shape) in the condenser shape."""
    block: Row = msgspec.json.decode(stored)
    number = int(block["block_id"][:8], 16)
    for position, transaction in enumerate(block["transactions"]):
        transaction["operations"] = _condenser_operations(transaction)
        transaction["transaction_id"] = block["transaction_ids"][position]
        transaction["block_num"] = number
        transaction["transaction_num"] = position
    return block


def _condenser_operations(transaction: Row) -> list[object]:
    return [condenser_operation(parse_operation(raw)) for raw in transaction["operations"]]


def read_transaction(raw: object) -> Transaction:
    """Parse a broadcast signed transaction, in either JSON shape. Raises RpcError."""
    if not isinstance(raw, Mapping):
        raise RpcError(CODE_ASSERT, "Bad Cast:Invalid cast from type to Object")
    operations, signatures = raw.get("operations"), raw.get("signatures", [])
    if not isinstance(operations, list) or not isinstance(signatures, list) or raw.get("extensions"):
        raise RpcError(CODE_ASSERT, "Bad Cast:Invalid cast from type to Array")
    try:
        return Transaction(
            int(raw["ref_block_num"]) & 0xFFFF,
            int(raw["ref_block_prefix"]) & 0xFFFFFFFF,
            parse_time(str(raw["expiration"]).removesuffix("Z")),
            tuple(parse_operation(operation) for operation in operations),
            tuple(bytes.fromhex(signature) for signature in signatures),
        )
    except OperationError as error:
        raise RpcError(CODE_ASSERT, str(error)) from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RpcError(CODE_ASSERT, f"Bad Cast:Invalid transaction: {error}") from error


class BlockMethods:
    """Methods of block_api, account_history_api, transaction_status_api, and their condenser_api versions."""

    def __init__(self, node: DevNode) -> None:
        self._node = node
        self._chain = node.chain

    def tables(self) -> dict[str, dict[str, Method]]:
        """`{api: {method: function}}`."""
        return {
            "block_api": {
                "get_block": self._get_block,
                "get_block_header": self._get_block_header,
                "get_block_range": self._get_block_range,
            },
            "account_history_api": {
                "get_ops_in_block": self._get_ops_in_block,
                "get_transaction": lambda params: self._get_transaction(params, condenser=False),
                "get_account_history": self._get_account_history,
            },
            "transaction_status_api": {"find_transaction": self._find_transaction},
            "network_broadcast_api": {"broadcast_transaction": self._broadcast},
            "condenser_api": {
                "get_block": self._condenser_get_block,
                "get_block_header": self._condenser_get_block_header,
                "get_ops_in_block": self._condenser_get_ops_in_block,
                "get_transaction": lambda params: self._get_transaction(params, condenser=True),
                "get_account_history": self._condenser_get_account_history,
                "broadcast_transaction": self._broadcast,
                "broadcast_transaction_synchronous": self._broadcast_synchronous,
            },
        }

    # -- blocks ----------------------------------------------------------------------------------

    def _get_block(self, params: Params) -> object:
        number = params.number(0, "block_num")
        return {"block": msgspec.Raw(self._chain.stored(number))} if self._chain.has(number) else {}

    def _get_block_header(self, params: Params) -> object:
        number = params.number(0, "block_num")
        return {"header": self._header(number)} if self._chain.has(number) else {}

    def _header(self, number: int) -> Row:
        block: Row = msgspec.json.decode(self._chain.stored(number))
        return {name: block[name] for name in _HEADER_FIELDS}

    def _get_block_range(self, params: Params) -> object:
        params.require_names()
        start = params.number(0, "starting_block_num") % (1 << 32)
        if start == 0:
            raise RpcError(
                CODE_ASSERT, "Assert Exception:starting_block_num > 0: Invalid starting block numberrethrow"
            )
        count = params.number(1, "count", 0)
        if count > 0:  # cut to the blocks that exist, and only then compared with the limit
            count = max(0, min(count, self._chain.head + 1 - start))
        if not 0 <= count <= MAX_RANGE:
            text = "Assert Exception:count <= 1000: You can only ask for 1000 blocks at a timerethrow"
            raise RpcError(CODE_ASSERT, text)
        first = max(start, self._chain.first_block)
        last = min(start + count - 1, self._chain.head)
        blocks = [self._chain.stored(number) for number in range(first, last + 1)]
        return {"blocks": msgspec.Raw(b"[" + b",".join(blocks) + b"]")}

    def _condenser_get_block(self, params: Params) -> object:
        number = params.number(0, "block_num")
        return condenser_block(self._chain.stored(number)) if self._chain.has(number) else None

    def _condenser_get_block_header(self, params: Params) -> object:
        number = params.number(0, "block_num")
        return self._header(number) if self._chain.has(number) else None

    # -- operations ------------------------------------------------------------------------------

    def _operations(self, number: int) -> Iterator[Row]:
        """The operations of a block in the account_history_api shape, then its producer reward."""
        if not self._chain.has(number):
            return
        block: Row = msgspec.json.decode(self._chain.stored(number))
        for position, transaction in enumerate(block["transactions"]):
            for at, operation in enumerate(transaction["operations"]):
                yield {
                    "trx_id": block["transaction_ids"][position],
                    "block": number,
                    "trx_in_block": position,
                    "op_in_trx": at,
                    "virtual_op": False,
                    "timestamp": block["timestamp"],
                    "op": operation,
                    "operation_id": 0,
                }
        yield {
            "trx_id": "0" * 40,
            "block": number,
            "trx_in_block": _VIRTUAL_POSITION,
            "op_in_trx": 1,
            "virtual_op": True,
            "timestamp": block["timestamp"],
            "op": {
                "type": "producer_reward_operation",
                "value": {
                    "producer": block["witness"],
                    "vesting_shares": {"amount": "1000000", "precision": 6, "nai": VESTS.nai},
                },
            },
            "operation_id": 0,
        }

    def _get_ops_in_block(self, params: Params) -> object:
        virtual_only = bool(params.get(1, "only_virtual", False))
        rows = self._operations(params.number(0, "block_num"))
        return {"ops": [row for row in rows if row["virtual_op"] or not virtual_only]}

    def _condenser_get_ops_in_block(self, params: Params) -> object:
        virtual_only = bool(params.get(1, "only_virtual", False))
        rows = self._operations(params.number(0, "block_num"))
        return [_condenser_row(row) for row in rows if row["virtual_op"] or not virtual_only]

    def _history(self, account: str, start: int, limit: int) -> list[tuple[int, Row]]:
        """An account's operations, oldest first; `start` is the newest index to return, -1 for the last.

        It scans the whole chain at each call, so there is no index to keep consistent through forks.
        """
        if not 0 < limit <= MAX_HISTORY:
            raise RpcError(
                CODE_ASSERT,
                f"Assert Exception:args.limit <= 1000: limit of {limit} is greater than maximum allowed",
            )
        mine: list[tuple[int, Row]] = []
        for number in range(self._chain.first_block, self._chain.head + 1):
            if account.encode() in self._chain.stored(number):
                rows = (row for row in self._operations(number) if _concerns(row["op"]["value"], account))
                mine.extend(enumerate(rows, len(mine)))
        last = len(mine) - 1 if start < 0 else min(start, len(mine) - 1)
        return mine[max(0, last - limit + 1) : last + 1]

    def _get_account_history(self, params: Params) -> object:
        rows = self._history(
            params.text(0, "account"), params.number(1, "start", -1), params.number(2, "limit", MAX_HISTORY)
        )
        return {"history": rows}

    def _condenser_get_account_history(self, params: Params) -> object:
        rows = self._history(
            params.text(0, "account"), params.number(1, "start", -1), params.number(2, "limit", MAX_HISTORY)
        )
        return [(number, _condenser_row(row)) for number, row in rows]

    # -- transactions ----------------------------------------------------------------------------

    def _get_transaction(self, params: Params, *, condenser: bool) -> object:
        ident = params.text(0, "id").lower()
        found = self._chain.locate(ident)
        if found is None:
            raise RpcError(CODE_ASSERT, f"Assert Exception:false: Unknown Transaction {ident}")
        number, position = found
        block: Row = msgspec.json.decode(self._chain.stored(number))
        transaction: Row = block["transactions"][position]
        if condenser:
            transaction["operations"] = _condenser_operations(transaction)
        return transaction | {
            "transaction_id": ident,
            "block_num": number,
            "transaction_num": position,
            "rc_cost": -1,
        }

    def _find_transaction(self, params: Params) -> object:
        ident = params.text(0, "transaction_id").lower()
        found = self._chain.locate(ident)
        if found is not None:
            final = found[0] <= self._chain.irreversible
            status = "within_irreversible_block" if final else "within_reversible_block"
            return {"status": status, "block_num": found[0]}
        if self._chain.is_pending(ident):
            return {"status": "within_mempool"}
        expiration = params.get(1, "expiration")
        if isinstance(expiration, str):
            try:
                expires = parse_time(expiration)
            except ValueError as error:
                raise RpcError(CODE_ASSERT, "Parse Error:Couldn't parse time_point_sec") from error
            if expires < self._chain.irreversible_time:
                return {"status": "expired_irreversible"}
            if expires < self._chain.head_time:
                return {"status": "expired_reversible"}
        return {"status": "unknown"}

    def _broadcast(self, params: Params) -> object:
        self._node.push(read_transaction(params.get(0, "trx")))
        return {}

    def _broadcast_synchronous(self, params: Params) -> object:
        """Returns at once, with the number of the block that should contain the transaction."""
        ident = self._node.push(read_transaction(params.get(0, "trx")))
        return {"id": ident, "block_num": self._chain.head + 1, "trx_num": 0, "expired": False}


def _condenser_row(row: Row) -> Row:
    operation = row["op"]
    if row["virtual_op"]:
        shares = int(operation["value"]["vesting_shares"]["amount"])
        value = operation["value"] | {"vesting_shares": f"{shares // 10**6}.{shares % 10**6:06d} VESTS"}
        return row | {"op": [operation["type"].removesuffix("_operation"), value]}
    return row | {"op": condenser_operation(parse_operation(operation))}


def _concerns(value: Row, account: str) -> bool:
    named = [value.get("from"), value.get("to"), value.get("producer"), value.get("account")]
    return account in (*named, *value.get("required_auths", ()), *value.get("required_posting_auths", ()))
