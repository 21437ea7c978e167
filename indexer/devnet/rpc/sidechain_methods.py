"""RPC methods of the sidechain node: blocks and contract tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from indexer.devnet.node import DevNode
from indexer.devnet.rpc.json_rpc import Method, Params, RpcError
from indexer.devnet.sidechain.chain import TOKENS, Token

VERSION: Final = "1.10.0"
MAX_LIMIT: Final = 1000
CODE_BAD_PARAMS: Final = 400

Row = dict[str, Any]


class SidechainMethods:
    """Methods of `/blockchain` and `/contracts` of a sidechain node."""

    def __init__(self, node: DevNode) -> None:
        self._node = node
        self._sidechain = node.sidechain

    def blockchain(self) -> dict[str, Method]:
        """Methods of `/blockchain`."""
        return {
            "getStatus": self._get_status,
            "getLatestBlockInfo": lambda _: self._raw(self._sidechain.block(self._sidechain.block_number)),
            "getBlockInfo": lambda params: self._raw(self._sidechain.block(_integer(params, "blockNumber"))),
            "getBlockRangeInfo": self._get_block_range,
            "getBlockInfoByHiveBlock": lambda params: self._raw(
                self._sidechain.block_of_hive(_integer(params, "hiveBlockNumber"))
            ),
            "getTransactionInfo": self._get_transaction,
        }

    def contracts(self) -> dict[str, Method]:
        """Methods of `/contracts`."""
        return {
            "getContract": lambda params: {"name": TOKENS} if params.get(0, "name") == TOKENS else None,
            "findOne": lambda params: next(iter(self._find(params, 1)), None),
            "find": lambda params: self._find(params, MAX_LIMIT),
        }

    @staticmethod
    def _raw(block: bytes | None) -> object:
        return msgspec.Raw(block) if block is not None else None

    def _get_status(self, _: Params) -> Row:
        latest = self._sidechain.block(self._sidechain.block_number)
        status: Row = {
            "lastParsedHiveBlockNumber": self._sidechain.last_hive_block,
            "SSCnodeVersion": VERSION,
            "domain": "",
            "chainId": self._sidechain.chain_id,
            "disabledMethods": {},
            "lightNode": False,
        }
        if latest is not None:
            block: Row = msgspec.json.decode(latest)
            status["lastBlockNumber"] = block["blockNumber"]
            status["lastBlockRefHiveBlockNumber"] = block["refHiveBlockNumber"]
            status["lastHash"] = block["hash"]
        return status

    def _get_block_range(self, params: Params) -> object:
        start, count = _integer(params, "startBlockNumber"), _integer(params, "count")
        if count > MAX_LIMIT:
            raise RpcError(CODE_BAD_PARAMS, "count can not be over 1000")
        found = (self._sidechain.block(number) for number in range(start, start + count))
        return [msgspec.Raw(block) for block in found if block is not None]

    def _get_transaction(self, params: Params) -> object:
        ident = params.get(0, "txid")
        if not isinstance(ident, str) or not ident:
            raise RpcError(CODE_BAD_PARAMS, "missing or wrong parameters: txid is required")
        return self._sidechain.transaction(ident)

    # -- tables ----------------------------------------------------------------------------------

    def _find(self, params: Params, most: int) -> list[Row]:
        contract, table, query = (
            params.get(at, name) for at, name in enumerate(("contract", "table", "query"))
        )
        if not (isinstance(contract, str) and isinstance(table, str) and isinstance(query, dict)):
            raise RpcError(
                CODE_BAD_PARAMS, "missing or wrong parameters: contract, table and query are required"
            )
        limit, offset = params.number(3, "limit", most), params.number(4, "offset", 0)
        if limit > MAX_LIMIT:
            raise RpcError(CODE_BAD_PARAMS, f"limit is too high, maximum limit is {MAX_LIMIT}")
        rows: Iterable[Row] = ()
        if contract == TOKENS and table == "tokens":
            rows = (_token_row(at, token) for at, token in enumerate(self._sidechain.tokens.values(), 1))
        elif contract == TOKENS and table == "balances":
            rows = (
                row for token in self._sidechain.tokens.values() for row in self._sidechain.balances_of(token)
            )
        return [row for row in rows if _matches(row, query)][offset : offset + min(limit, most)]


def _token_row(number: int, token: Token) -> Row:
    return {
        "_id": number,
        "issuer": token.issuer,
        "symbol": token.symbol,
        "name": token.symbol,
        "metadata": "{}",
        "precision": token.precision,
        "maxSupply": "9007199254740991",
        "supply": token.text(token.supply),
        "circulatingSupply": token.text(token.supply),
        "stakingEnabled": False,
        "delegationEnabled": False,
    }


def _matches(row: Row, query: Mapping[str, object]) -> bool:
    """Whether a row matches a query of equalities and `$in`, the operators that readers of balances use."""
    for field, expected in query.items():
        choices = expected.get("$in") if isinstance(expected, Mapping) else [expected]
        if not isinstance(choices, list) or row.get(field) not in choices:
            return False
    return True


def _integer(params: Params, name: str) -> int:
    value = params.get(0 if name != "count" else 1, name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RpcError(CODE_BAD_PARAMS, f"missing or wrong parameters: {name} is required")
    return value
