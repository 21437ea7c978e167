"""Clients of Hive and Hive-Engine nodes: chain time, accounts, balances, and broadcasting a transaction.

`ChainNodes` asks all nodes at once, or does not wait for slow ones. No request is repeated to the same node.
After a broadcast with the outcome `unknown` the transaction may be in the chain, or may get into it until it
expires.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_high
from typing import Any, Final, Literal, NamedTuple, TypeVar

from settlement.net.chain_id import ExpectedChain, OtherChainError, read_devnet_chain_id
from settlement.net.http_client import HttpError, Limits, NoAnswer, NodeError, one_line
from settlement.net.json_rpc import JsonRpcClient, RpcError
from settlement.net.node_pool import Node
from settlement.net.node_urls import distinct
from settlement.net.parallel import (
    SLOW_SECONDS,
    ask_all,
    ask_in_turn,
    first_answer,
    most_common,
    most_common_of_each,
    named_by_most,
)
from settlement.payouts.chain.accounts import Account, read_account
from settlement.payouts.chain.broadcast_answers import Cause, classify
from settlement.payouts.signing.transactions import SignedTransaction, unix_time

MAX_HEAD_DIFFERENCE_SECONDS: Final = 3600
LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=20.0, max_bytes=1 << 24)

_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")
_ROWS_PER_PAGE: Final = 1000
_MAX_PAGES: Final = 50

Status = Literal["sent", "refused", "unknown"]
T = TypeVar("T")

log = logging.getLogger("peakedex.payouts")


class ChainError(NodeError):
    """No usable answer; the text names the node and the reason."""


class WrongChainError(ChainError):
    """The node belongs to another chain."""


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
    cause: Cause | None = None  # why it was refused


class HiveNode:
    """Client of one Hive node."""

    def __init__(self, url: str, limits: Limits = LIMITS, chain: ExpectedChain | None = None) -> None:
        """`chain` is checked before the node is used, and again after it did not answer; None: any chain."""
        self._rpc = JsonRpcClient(url, limits)
        self.url = self._rpc.url
        self._chain = chain
        self._is_checked = chain is None
        self._is_refused = False

    def call(self, method: str, params: Sequence[object] | Mapping[str, object]) -> object:
        """The result of a JSON-RPC call. Raises HttpError, and WrongChainError."""
        self._check_chain()
        try:
            result: object = self._rpc.call(method, params, Any)
        except NoAnswer:
            self._is_checked = self._chain is None
            raise
        return result

    def _check_chain(self) -> None:
        if self._chain is None or self._is_checked:
            return
        try:
            self._chain.check(self.url)
        except OtherChainError as error:
            if not self._is_refused:
                log.error("Hive node refused: %s", error)
            self._is_refused = True
            raise WrongChainError(error) from None
        self._is_checked, self._is_refused = True, False

    def devnet_chain_id(self) -> str:
        """The chain id of a devnet, from its /dev/status. Raises ChainError for any other node."""
        try:
            return read_devnet_chain_id(self._rpc)
        except NodeError as error:
            raise ChainError(error) from error

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
            found = {account.name: account for account in map(read_account, answer["accounts"])}
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"{self.url} returns accounts in another form than Hive's") from error
        return {name: found[name] for name in requested if name in found}

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        """Send the transaction once."""
        try:
            result = self.call("condenser_api.broadcast_transaction", [signed.to_json()])
        except RpcError as error:
            text = " ".join(error.message.split())
            cause = classify(text)
            if cause == "duplicate":
                return Outcome("sent", "the node has it already")
            return Outcome("unknown" if cause is None else "refused", text, cause)
        except HttpError as error:
            return Outcome("unknown", f"no answer from {self.url} ({error.reason})")
        except WrongChainError as error:
            return Outcome("unknown", f"not sent: {error}")
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


class Execution(NamedTuple):
    """How the sidechain executed a transaction."""

    hive_block: int  # number of the Hive block that holds it
    errors: tuple[str, ...]  # of each action in order; empty text where it succeeded


class Restrictions(NamedTuple):
    """Accounts that the sidechain restricts."""

    blacklist: frozenset[str] = frozenset()  # `tokens.transfer` to them is refused
    denied: frozenset[str] = frozenset()  # may act once a day (contract `resourcemanager`)


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

    def execution(self, transaction_id: str) -> Execution | None:
        """How it executed a transaction; None where it has not, or not yet. Raises ChainError."""
        found = self._call("getTransactionInfo", {"txid": transaction_id}, "/blockchain")
        receipts = found if isinstance(found, list) else [found]
        if found is None or not receipts:
            return None
        try:
            errors = tuple(_error_of(json.loads(receipt["logs"])) for receipt in receipts)
            return Execution(int(receipts[0]["refHiveBlockNumber"]), errors)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ChainError(f"{self.url} returns receipts in another form than Hive-Engine's") from error

    def restrictions(self, accounts: Iterable[str]) -> Restrictions:
        """The blacklist, and which of the accounts are denied. Raises ChainError."""
        names = sorted(set(accounts))
        params = self._find("params", {}, 0)
        rows = self._find("accountControls", {"account": {"$in": names}}, 0, "resourcemanager")
        blacklist = params[0].get("blacklist") if params else None
        denied = (str(row.get("account")) for row in rows if row.get("isDenied") is True)
        return Restrictions(
            frozenset(map(str, blacklist)) if isinstance(blacklist, dict) else frozenset(),
            frozenset(denied) & frozenset(names),
        )

    def _find(
        self, table: str, query: Mapping[str, object], offset: int, contract: str = "tokens"
    ) -> list[dict[str, Any]]:
        params = {"contract": contract, "table": table, "query": query, "limit": self._page_rows}
        rows = self._call("find", {**params, "offset": offset, "indexes": []}, "/contracts")
        if rows is None:  # an unknown contract or table
            return []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ChainError(f"{self.url} does not answer find as a Hive-Engine node does")
        return rows

    def _call(self, method: str, params: Mapping[str, object], path: str) -> Any:
        """A result, which may be null. Raises ChainError."""
        try:
            return self._rpc.call(method, params, Any, path)
        except HttpError as error:
            raise ChainError(f"{self.url} does not answer: {error.reason}") from error


class ChainNodes:
    """Several nodes of both chains, asked in parallel. Not thread-safe.

    Of different answers the most frequent one counts; among equals, that of the node listed first.
    """

    def __init__(
        self,
        hive: Sequence[str],
        sidechain: Sequence[str] = (),
        limits: Limits = LIMITS,
        chain: ExpectedChain | None = None,
        *,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """The nodes' URLs; `chain` as for HiveNode. Raises ValueError without a Hive node."""
        if not hive:
            raise ValueError("no Hive nodes given")
        self.hive = tuple(HiveNode(url, limits, chain) for url in distinct(hive))
        self.sidechain = tuple(SidechainNode(url, limits) for url in distinct(sidechain))
        self._hive = [Node(node.url, node) for node in self.hive]
        self._sidechain = [Node(node.url, node) for node in self.sidechain]
        # A node may be asked for its chain id first.
        self._seconds = {"seconds": 2 * limits.deadline_seconds, "slow_seconds": slow_seconds}
        self._turn = 0

    def devnet_chain_id(self) -> str:
        """As `HiveNode.devnet_chain_id`, from the first node that answers."""
        return first_answer(self._hive, HiveNode.devnet_chain_id, **self._seconds)[1]

    def head_time(self) -> int:
        """The head block's time, in seconds since 1970. Raises ChainError.

        The median of all nodes that answer, the later one of two: so neither a node that lags nor one that
        lies decides among three. Two that are far apart are an error.
        """
        times = ask_all(self._hive, HiveNode.head_time, **self._seconds)
        if len(times) == 2 and abs(times[0] - times[1]) > MAX_HEAD_DIFFERENCE_SECONDS:
            raise ChainError("the two nodes that answer are hours apart: add a third --node, or remove one")
        return median_high(times)

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """As `HiveNode.accounts`."""
        requested = list(names)
        answers = ask_all(self._hive, lambda node: node.accounts(requested), **self._seconds)
        # Apart, because balances differ where a node is a block behind, and then no two answers are the same.
        without = [{name: replace(one, mils={}) for name, one in answer.items()} for answer in answers]
        return {
            name: replace(
                account, mils=most_common([answer[name].mils for answer in answers if name in answer])
            )
            for name, account in most_common_of_each(without).items()
        }

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        """As `SidechainNode.balances`. ChainError without a node."""
        names, tokens = list(accounts), list(symbols)
        return most_common_of_each(self._ask_sidechain(lambda node: node.balances(names, tokens)))

    def execution(self, transaction_id: str) -> Execution | None:
        """As `SidechainNode.execution`. ChainError without a node."""
        return most_common(self._ask_sidechain(lambda node: node.execution(transaction_id)))

    def restrictions(self, accounts: Iterable[str]) -> Restrictions:
        """As `SidechainNode.restrictions`, as more than half name them. ChainError without a node."""
        names = list(accounts)
        answers = self._ask_sidechain(lambda node: node.restrictions(names))
        return Restrictions(*map(named_by_most, zip(*answers, strict=True)))

    def _ask_sidechain(self, task: Callable[[SidechainNode], T]) -> list[T]:
        if not self._sidechain:
            raise ChainError("no node is configured for this")
        return ask_all(self._sidechain, task, **self._seconds)

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        """Send it to one node after the other until one accepts; each call begins with another node.

        A slow node is not waited for before the next one gets it.

        `refused` only if all refuse: a node that is behind refuses what the others accept.
        """
        self._turn = (self._turn + 1) % len(self.hive)
        nodes = [*self._hive[self._turn :], *self._hive[: self._turn]]
        outcomes: list[Outcome] = []
        for _, result in ask_in_turn(nodes, lambda node: node.broadcast(signed), **self._seconds):
            try:
                outcomes.append(result())
            except NodeError as error:
                outcomes.append(Outcome("unknown", str(error)))
            if outcomes[-1].status == "sent":
                return outcomes[-1]
        return next((outcome for outcome in outcomes if outcome.status == "unknown"), outcomes[0])


def _error_of(logs: object) -> str:
    """The errors of a receipt's logs as one printable text; empty where a transfer took place."""
    if not isinstance(logs, dict):
        raise TypeError("logs are an object")
    errors = logs.get("errors")
    if not isinstance(errors, list) or not errors or logs.get("events"):
        return ""
    return one_line("; ".join(map(str, errors)))
