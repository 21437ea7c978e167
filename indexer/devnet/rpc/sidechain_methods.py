"""RPC methods of the sidechain node: blocks and contract tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from indexer.devnet.faults import Faults
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.json_rpc import Method, Params, RpcError
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.sidechain.tokens_contract import TOKENS, Token

VERSION: Final = "ivm-1.1.4"
NODE_CHAIN_ID: Final = "mainnet-hive"
DISABLED: Final = "getBlockRangeInfo"
MAX_LIMIT: Final = 1000
CODE_BAD_PARAMS: Final = 400

Row = dict[str, Any]

_TOKENS_PARAMS: Final[Row] = {
    "tokenCreationFee": "100",
    "enableDelegationFee": "1000",
    "enableStakingFee": "1000",
    "_id": 1,
    "blacklist": {},
    "heAccounts": {"hive-engine": 1, "swap-eth": 1, "btc-swap": 1, "graphene-swap": 1, "honey-swap": 1},
}
_RESOURCE_PARAMS: Final[Row] = {
    "numberOfFreeTx": 1,
    "denyMaxTx": 1,
    "multiTransactionFee": "0.001",
    "burnSymbol": "BEED",
    "allowlistBurnFee": "10",
    "_id": 1,
}


class SidechainMethods:
    """Methods of `/blockchain` and `/contracts` of a sidechain node."""

    def __init__(self, node: DevNode, faults: Faults | None = None) -> None:
        self._node = node
        self._faults = faults or Faults()

    @property
    def _sidechain(self) -> Sidechain:
        forked = self._node.forked if self._faults.engine_forked else None
        return forked or self._node.sidechain

    def blockchain(self) -> dict[str, Method]:
        """Methods of `/blockchain`."""
        return {
            "getStatus": self._get_status,
            "getLatestBlockInfo": lambda _: self._raw(self._sidechain.block(self._sidechain.block_number)),
            "getBlockInfo": lambda params: self._raw(self._sidechain.block(_integer(params, "blockNumber"))),
            DISABLED: _disabled,
            "getBlockInfoByHiveBlock": lambda params: self._raw(
                self._sidechain.block_of_hive(_integer(params, "hiveBlockNumber"))
            ),
            "getTransactionInfo": self._get_transaction,
        }

    def contracts(self) -> dict[str, Method]:
        """Methods of `/contracts`."""
        return {
            "getContract": lambda params: {"name": TOKENS} if params.get(0, "name") == TOKENS else None,
            "findOne": lambda params: next(iter(self._find(params, 1) or ()), None),
            "find": lambda params: self._find(params, MAX_LIMIT),
        }

    @staticmethod
    def _raw(block: bytes | None) -> object:
        return msgspec.Raw(block) if block is not None else None

    def _get_status(self, _: Params) -> Row:
        latest = self._sidechain.block(self._sidechain.block_number)
        block: Row = {} if latest is None else msgspec.json.decode(latest)
        return {
            "lastBlockNumber": block.get("blockNumber", 0),
            "lastBlockRefHiveBlockNumber": block.get("refHiveBlockNumber", 0),
            "lastHash": block.get("hash", ""),
            "lastParsedHiveBlockNumber": self._node.next_hive_block,
            "SSCnodeVersion": VERSION,
            "domain": "",
            "chainId": NODE_CHAIN_ID,
            "disabledMethods": {"blockchain": [DISABLED], "contracts": []},
            "lightNode": False,
        }

    def _get_transaction(self, params: Params) -> object:
        ident = params.get(0, "txid")
        if not isinstance(ident, str) or not ident:
            raise RpcError(CODE_BAD_PARAMS, "missing or wrong parameters: txid is required")
        return self._sidechain.transaction(ident)

    # -- tables ----------------------------------------------------------------------------------

    def _find(self, params: Params, most: int) -> list[Row] | None:
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
        rows = self._rows(contract, table)
        if rows is None:
            return None
        return [row for row in rows if _matches(row, query)][offset : offset + min(limit or most, most)]

    def _rows(self, contract: str, table: str) -> Iterable[Row] | None:
        """The rows of a table; None for an unknown contract or table."""
        sidechain = self._sidechain
        match contract, table:
            case "tokens", "tokens":
                return (_token_row(at, token) for at, token in enumerate(sidechain.tokens.values(), 1))
            case "tokens", "balances":
                return sidechain.balance_rows()
            case "tokens", "params":
                return [_TOKENS_PARAMS | {"blacklist": dict.fromkeys(sidechain.blacklist, 1)}]
            case "tokens", "pendingUnstakes" | "delegations" | "contractsBalances":
                return ()
            case "resourcemanager", "params":
                return [_RESOURCE_PARAMS]
            case "resourcemanager", "accountControls":
                return (
                    {"account": name, "isDenied": True, "isAllowed": False, "_id": at}
                    for at, name in enumerate(sorted(sidechain.denied), 1)
                )
        return None


def _token_row(number: int, token: Token) -> Row:
    return {
        "issuer": token.issuer,
        "symbol": token.symbol,
        "name": token.symbol,
        "metadata": "{}",
        "precision": token.precision,
        "maxSupply": "9007199254740991",
        "supply": token.text(token.supply),
        "circulatingSupply": token.text(token.supply),
        "stakingEnabled": False,
        "unstakingCooldown": 1,
        "delegationEnabled": False,
        "undelegationCooldown": 0,
        "_id": number,
    }


def _disabled(_: Params) -> object:
    raise RpcError(CODE_BAD_PARAMS, f"method blockchain.{DISABLED} is disabled")


def _matches(row: Row, query: Mapping[str, object]) -> bool:
    """Whether a row matches a query of equalities, `$in` and `$gt`, which readers of balances use."""
    for field, expected in query.items():
        if isinstance(expected, Mapping) and "$gt" in expected:
            if not row.get(field, 0) > expected["$gt"]:
                return False
            continue
        choices = expected.get("$in") if isinstance(expected, Mapping) else [expected]
        if not isinstance(choices, list) or row.get(field) not in choices:
            return False
    return True


def _integer(params: Params, name: str) -> int:
    value = params.get(0, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise RpcError(CODE_BAD_PARAMS, f"missing or wrong parameters: {name} is required")
    return int(value)
