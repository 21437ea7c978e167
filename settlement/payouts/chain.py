"""Clients of Hive and Hive-Engine nodes: chain time, accounts, balances, and broadcasting a transaction.

Each call is one request to one node and is never retried here. After a broadcast with the outcome `unknown`
the transaction may be in the chain, or may get into it until it expires.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any, Final, Literal, TypeVar

from settlement.net.hive_formats import COIN_BY_NAI
from settlement.net.http_client import HttpError, Limits
from settlement.net.json_rpc import JsonRpcClient, RpcError
from settlement.payouts.signing import MAINNET, SignedTransaction, SigningError, check_chain_id, unix_time

MAX_CLOCK_DIFFERENCE_SECONDS: Final = 600
MAX_HEAD_DIFFERENCE_SECONDS: Final = 3600
LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=20.0, max_bytes=1 << 24)

_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")
_ROWS_PER_PAGE: Final = 1000
_MAX_PAGES: Final = 50
# Texts of hived itself when it rejects a transaction. Any other error may come from a gateway that has lost
# the node's answer.
_REJECTIONS: Final = re.compile(
    r"Assert Exception|missing required|transaction (?:expiration|tapos) exception"
    r"|(?:irrelevant|duplicate) signature|Bad Cast|Parse Error|unknown key|not_enough_rc|Not enough RC"
)
_DUPLICATE: Final = "Duplicate transaction check failed"

Status = Literal["sent", "refused", "unknown"]
T = TypeVar("T")


class ChainError(Exception):
    """No usable answer; the text names the node and the reason."""


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """Where a node's chain stands."""

    block_id: str  # of the last irreversible block, 40 hex digits
    time: int  # of the head block, seconds since 1970


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a broadcast. `unknown`: the transaction may be in the chain, or may still get into it."""

    status: Status
    reason: str = ""  # printable, in one line


@dataclass(frozen=True, slots=True)
class Authority:
    """Authority as the account declares it: weighted keys and accounts, and a threshold."""

    threshold: int  # weight that the signatures must reach
    keys: Mapping[str, int]  # weights by public key (`STM…`)
    accounts: Mapping[str, int]  # weights by account name


@dataclass(frozen=True, slots=True)
class Account:
    """A Hive account."""

    name: str
    active: Authority
    mils: Mapping[str, int]  # liquid balance in thousandths, by coin (HIVE, HBD)
    others: Mapping[str, str]  # role of each other public key: owner, posting or memo


class HiveNode:
    """Client of one Hive node."""

    def __init__(self, url: str, limits: Limits = LIMITS) -> None:
        self._rpc = JsonRpcClient(url, limits)
        self.url = self._rpc.url

    def call(self, method: str, params: Sequence[object] | Mapping[str, object]) -> object:
        """The result of a JSON-RPC call. Raises HttpError."""
        result: object = self._rpc.call(method, params, Any)
        return result

    def devnet_chain_id(self) -> str:
        """The chain id of a devnet, from its /dev/status. Raises ChainError for any other node."""
        try:
            status = json.loads(self._rpc.http.get(f"{self.url}/dev/status").body)
            if not isinstance(status, dict) or status.get("devnet") is not True:
                raise ValueError("no status of a devnet")
            chain_id = check_chain_id(str(status.get("chain_id")))
        except (HttpError, SigningError, ValueError, RecursionError) as error:
            raise ChainError(f"{self.url} is not a devnet: it has no /dev/status") from error
        if chain_id == MAINNET:
            raise ChainError(f"{self.url} claims to be a devnet but names the main network's chain id")
        return chain_id

    def position(self) -> ChainPosition:
        """The last irreversible block, which no fork can revert, and the head's time. Raises ChainError."""
        properties = self._properties()
        try:
            head, final = int(properties["head_block_number"]), int(properties["last_irreversible_block_num"])
            block_id = str(properties["head_block_id"])
            if final < head:
                header = self._call("condenser_api.get_block_header", [final + 1])
                block_id = str(header["previous"])
            time = unix_time(str(properties["time"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"{self.url} does not return the properties of a Hive chain") from error
        if _BLOCK_ID.fullmatch(block_id) is None:
            raise ChainError(f"{self.url} returns {block_id[:50]!r} as a block id")
        return ChainPosition(block_id, time)

    def head_time(self) -> int:
        """The head block's time, in seconds since 1970. Raises ChainError."""
        try:
            return unix_time(str(self._properties()["time"]))
        except (KeyError, ValueError) as error:
            raise ChainError(f"{self.url} does not return the properties of a Hive chain") from error

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """The accounts that exist, by name. Raises ChainError."""
        requested = sorted(set(names))
        answer = self._call("database_api.find_accounts", {"accounts": requested})
        try:
            found = {account.name: account for account in map(_account, answer["accounts"])}
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"{self.url} returns accounts in another form than Hive's") from error
        return {name: found[name] for name in requested if name in found}

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        """Send the transaction once."""
        try:
            result = self.call("condenser_api.broadcast_transaction", [signed.to_json()])
        except RpcError as error:
            text = " ".join(error.message.split())
            if _DUPLICATE in text:
                return Outcome("sent", "the node has it already")
            return Outcome("refused" if _REJECTIONS.search(text) else "unknown", text)
        except HttpError as error:
            return Outcome("unknown", f"no answer from {self.url} ({error.reason})")
        if not isinstance(result, dict):
            return Outcome("unknown", f"empty answer from {self.url}")
        return Outcome("sent")

    def _properties(self) -> dict[str, Any]:
        return self._call("condenser_api.get_dynamic_global_properties", [])

    def _call(self, method: str, params: Sequence[object] | Mapping[str, object]) -> dict[str, Any]:
        """A result that is an object. Raises ChainError."""
        try:
            result = self.call(method, params)
        except HttpError as error:
            raise ChainError(f"{self.url} does not answer {method}: {error.reason}") from error
        if not isinstance(result, dict):
            raise ChainError(f"{self.url} does not answer {method} as a Hive node does")
        return result


class SidechainNode:
    """Client of one Hive-Engine node."""

    def __init__(
        self,
        url: str,
        limits: Limits = LIMITS,
        *,
        page_rows: int = _ROWS_PER_PAGE,
        max_pages: int = _MAX_PAGES,
    ) -> None:
        self._rpc = JsonRpcClient(url, limits)
        self.url = self._rpc.url
        self._page_rows = page_rows
        self._max_pages = max_pages

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        """Liquid balances as decimal text, by account and symbol, where there is a row. Raises ChainError."""
        names, tokens = sorted(set(accounts)), sorted(set(symbols))
        query = {"account": {"$in": names}, "symbol": {"$in": tokens}}
        found: dict[tuple[str, str], str] = {}
        for page in range(self._max_pages):
            rows = self._find("balances", query, page * self._page_rows)
            for row in rows:
                account, symbol, balance = row.get("account"), row.get("symbol"), row.get("balance")
                if account in names and symbol in tokens and isinstance(balance, str):
                    found[str(account), str(symbol)] = balance
            if len(rows) < self._page_rows:
                return found
        raise ChainError(f"{self.url} returns more than {self._max_pages} pages of balances")

    def _find(self, table: str, query: Mapping[str, object], offset: int) -> list[dict[str, Any]]:
        params = {"contract": "tokens", "table": table, "query": query, "limit": self._page_rows}
        try:
            return self._rpc.call(
                "find", {**params, "offset": offset, "indexes": []}, list[dict[str, Any]], "/contracts"
            )
        except HttpError as error:
            raise ChainError(f"{self.url} does not answer: {error.reason}") from error


class ChainNodes:
    """Several nodes of both chains. A read goes to one after the other until one answers."""

    def __init__(self, hive: Sequence[str], sidechain: Sequence[str] = (), limits: Limits = LIMITS) -> None:
        """The nodes' URLs. Raises ValueError without a Hive node."""
        if not hive:
            raise ValueError("no Hive nodes given")
        self.hive = tuple(HiveNode(url, limits) for url in hive)
        self.sidechain = tuple(SidechainNode(url, limits) for url in sidechain)
        self._turn = 0

    def head_time(self) -> int:
        """The head block's time, in seconds since 1970. Raises ChainError.

        The median of all nodes that answer, the later one of two: so neither a node that lags nor one that
        lies decides among three. Two that are far apart are an error.
        """
        times = _all_answers(HiveNode.head_time, self.hive)
        if len(times) == 2 and abs(times[0] - times[1]) > MAX_HEAD_DIFFERENCE_SECONDS:
            raise ChainError("the two nodes that answer are hours apart: add a third --node, or remove one")
        return median_high(times)

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """As `HiveNode.accounts`, from the first node that answers."""
        requested = list(names)
        return _first_answer(lambda node: node.accounts(requested), self.hive)

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        """As `SidechainNode.balances`, from the first node that answers. ChainError without a node."""
        names, tokens = list(accounts), list(symbols)
        return _first_answer(lambda node: node.balances(names, tokens), self.sidechain)

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        """Send it to one node after the other until one accepts; each call begins with another node.

        `refused` only if all refuse: a node that is behind refuses what the others accept.
        """
        self._turn = (self._turn + 1) % len(self.hive)
        outcomes: list[Outcome] = []
        for node in (*self.hive[self._turn :], *self.hive[: self._turn]):
            outcomes.append(node.broadcast(signed))
            if outcomes[-1].status == "sent":
                return outcomes[-1]
        return next((outcome for outcome in outcomes if outcome.status == "unknown"), outcomes[0])


def check_clock(position: ChainPosition, now: float) -> None:
    """Reject a node whose chain time is far from ours: stale, or trying to obtain a long-lived signature.

    Raises ChainError.
    """
    difference = round(position.time - now)
    if abs(difference) > MAX_CLOCK_DIFFERENCE_SECONDS:
        where = "ahead of" if difference > 0 else "behind"
        raise ChainError(
            f"the node's chain is {abs(difference)} seconds {where} this machine's clock: "
            "use another --node, or set the clock"
        )


NodeKind = TypeVar("NodeKind", HiveNode, SidechainNode)


def _first_answer(call: Callable[[NodeKind], T], nodes: Sequence[NodeKind]) -> T:
    failure: ChainError | None = None
    for node in nodes:
        try:
            return call(node)
        except ChainError as error:
            failure = failure or error
    raise failure or ChainError("no node is configured for this")


def _all_answers(call: Callable[[HiveNode], T], nodes: Sequence[HiveNode]) -> list[T]:
    answers: list[T] = []
    failure: ChainError | None = None
    for node in nodes:
        try:
            answers.append(call(node))
        except ChainError as error:
            failure = failure or error
    if failure is not None and not answers:
        raise failure
    return answers


def _account(raw: dict[str, Any]) -> Account:
    active = raw["active"]
    weights = [
        {str(name): int(weight) for name, weight in active[part]} for part in ("key_auths", "account_auths")
    ]
    authority = Authority(int(active["weight_threshold"]), *weights)
    others = {str(raw["memo_key"]): "memo"}
    others |= {str(key): role for role in ("posting", "owner") for key, _ in raw[role]["key_auths"]}
    mils = dict(_mils(raw[name]) for name in ("balance", "hbd_balance"))
    return Account(str(raw["name"]), authority, mils, others)


def _mils(raw: dict[str, Any]) -> tuple[str, int]:
    """`{"amount": "1000", "precision": 3, "nai": …}` as symbol and thousandths."""
    coin = COIN_BY_NAI[raw["nai"]]
    if raw["precision"] != coin.precision:
        raise ValueError("a coin with another precision")
    return coin.symbol, int(raw["amount"])
