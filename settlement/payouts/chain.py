"""What payouts ask of Hive and Hive-Engine nodes, and the one thing that they tell them.

Each call is one request to a node, never repeated by itself. What a broadcast brought is `sent`, `refused`,
or `unknown`: then the transaction may be in the chain, or come into it until it expires.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median_high
from typing import Any, Final, Literal, TypeVar

import requests

from settlement.core.parsing.names import NATIVE_PRECISION
from settlement.payouts.signing import MAINNET, Signed, SigningError, check_chain_id, unix_time

MAX_CLOCK_SECONDS: Final = 600
MOST_APART_SECONDS: Final = 3600
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
LARGEST_BYTES: Final = 1 << 24

_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")
_COINS: Final = {"@@000000021": "HIVE", "@@000000013": "HBD"}
_PAGE: Final = 1000
_MOST_PAGES: Final = 50
_TIMEOUT: Final = (CONNECT_SECONDS, ANSWER_SECONDS)
_WORDS: Final = 1000
_CHUNK_BYTES: Final = 1 << 16
# hived's own words when it has looked at a transaction and will not have it. Any other error may come from
# a gateway that lost the node's answer.
_REFUSALS: Final = re.compile(
    r"Assert Exception|missing required|transaction (?:expiration|tapos) exception"
    r"|(?:irrelevant|duplicate) signature|Bad Cast|Parse Error|unknown key|not_enough_rc|Not enough RC"
)
_ALREADY_THERE: Final = "Duplicate transaction check failed"

Status = Literal["sent", "refused", "unknown"]
T = TypeVar("T")


class ChainError(Exception):
    """No usable answer; the text names the node and why."""


class NodeRefusal(Exception):
    """A JSON-RPC error; its text is the node's."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last irreversible block's id, and the head block's time in seconds since 1970."""

    block_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node said of a broadcast. `unknown`: it may be in the chain, or come into it."""

    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """Keys (`STM…`) and accounts with their weights; enough of them must sign to reach the threshold."""

    threshold: int
    keys: Mapping[str, int]
    accounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """An account's active authority, and its liquid coins in thousandths, by HIVE and HBD.

    `others` says what its other keys are for: owner, posting or memo.
    """

    name: str
    active: Authority
    mils: Mapping[str, int]
    others: Mapping[str, str]


class Node:
    """One Hive node."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()

    def call(self, method: str, params: Sequence[object] | Mapping[str, object]) -> object:
        """The result. Raises requests.RequestException, and NodeRefusal for a JSON-RPC error."""
        return _call(self._session, self.url, method, params)

    def devnet_chain_id(self) -> str:
        """The chain id of a devnet, by its own /dev/status. Raises ChainError for any other node."""
        try:
            asked = self._session.get(f"{self.url}/dev/status", timeout=_TIMEOUT, stream=True)
            with asked as response:
                status = _read(response)
            if not isinstance(status, dict) or status.get("devnet") is not True:
                raise ChainError(f"{self.url} is not a devnet: it has no /dev/status")
            chain_id = check_chain_id(str(status.get("chain_id")))
        except (requests.RequestException, SigningError) as error:
            raise ChainError(f"{self.url} is not a devnet: it has no /dev/status") from error
        if chain_id == MAINNET:
            raise ChainError(f"{self.url} calls itself a devnet but names the main network's chain id")
        return chain_id

    def position(self) -> Position:
        """The last irreversible block, so that no fork takes a transaction back. Raises ChainError."""
        properties = self._properties()
        try:
            head, final = int(properties["head_block_number"]), int(properties["last_irreversible_block_num"])
            ident = str(properties["head_block_id"])
            if final < head:
                header = self._ask("condenser_api.get_block_header", [final + 1])
                ident = str(header["previous"])
            time = unix_time(str(properties["time"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"{self.url} gives no properties of a Hive chain") from error
        if _BLOCK_ID.fullmatch(ident) is None:
            raise ChainError(f"{self.url} gives {ident[:50]!r} for a block id")
        return Position(ident, time)

    def head_time(self) -> int:
        """The head block's time, in seconds since 1970. Raises ChainError."""
        try:
            return unix_time(str(self._properties()["time"]))
        except (KeyError, ValueError) as error:
            raise ChainError(f"{self.url} gives no properties of a Hive chain") from error

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """The accounts that exist, by name. Raises ChainError."""
        wanted = sorted(set(names))
        answer = self._ask("database_api.find_accounts", {"accounts": wanted})
        try:
            found = {account.name: account for account in map(_account, answer["accounts"])}
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"{self.url} gives accounts in another shape than Hive's") from error
        return {name: found[name] for name in wanted if name in found}

    def broadcast(self, signed: Signed) -> Outcome:
        """Send it, once."""
        try:
            result = self.call("condenser_api.broadcast_transaction", [signed.to_json()])
        except NodeRefusal as error:
            text = " ".join(str(error).split())
            if _ALREADY_THERE in text:
                return Outcome("sent", "the node had it already")
            return Outcome("refused" if _REFUSALS.search(text) else "unknown", text)
        except requests.RequestException as error:
            return Outcome("unknown", f"no answer from {self.url} ({type(error).__name__})")
        if not isinstance(result, dict):
            return Outcome("unknown", f"{self.url} answered nothing")
        return Outcome("sent")

    def _properties(self) -> dict[str, Any]:
        return self._ask("condenser_api.get_dynamic_global_properties", [])

    def _ask(self, method: str, params: Sequence[object] | Mapping[str, object]) -> dict[str, Any]:
        """A result that is an object. Raises ChainError."""
        try:
            result = self.call(method, params)
        except (requests.RequestException, NodeRefusal) as error:
            raise ChainError(f"{self.url} does not answer {method}: {_reason(error)}") from error
        if not isinstance(result, dict):
            raise ChainError(f"{self.url} gives no answer of a Hive chain to {method}")
        return result


class EngineNode:
    """One Hive-Engine node."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        """Liquid balances as decimal text, by account and symbol, where there is a row. Raises ChainError."""
        names, tokens = sorted(set(accounts)), sorted(set(symbols))
        query = {"account": {"$in": names}, "symbol": {"$in": tokens}}
        found: dict[tuple[str, str], str] = {}
        for page in range(_MOST_PAGES):
            rows = self._find("balances", query, page * _PAGE)
            for row in rows:
                account, symbol, balance = row.get("account"), row.get("symbol"), row.get("balance")
                if account in names and symbol in tokens and isinstance(balance, str):
                    found[str(account), str(symbol)] = balance
            if len(rows) < _PAGE:
                return found
        raise ChainError(f"{self.url} has no end of balances")

    def _find(self, table: str, query: Mapping[str, object], offset: int) -> list[dict[str, Any]]:
        asked = {"contract": "tokens", "table": table, "query": query, "limit": _PAGE, "offset": offset}
        try:
            rows = _call(self._session, f"{self.url}/contracts", "find", {**asked, "indexes": []})
        except (requests.RequestException, NodeRefusal) as error:
            raise ChainError(f"{self.url} does not answer: {_reason(error)}") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ChainError(f"{self.url} gives no rows of {table}")
        return rows


class Nodes:
    """Several nodes of both chains. A question goes to one after the other until one answers."""

    def __init__(self, hive: Sequence[str], engine: Sequence[str] = ()) -> None:
        """The URLs. Raises ValueError without a Hive node."""
        if not hive:
            raise ValueError("no Hive nodes given")
        self.hive = tuple(Node(url) for url in hive)
        self.engine = tuple(EngineNode(url) for url in engine)
        self._turn = 0

    def head_time(self) -> int:
        """The head block's time, in seconds since 1970: the middle one of all that answer, the later one of
        two. So neither a node that lags nor one that lies decides among three; two that are far apart decide
        nothing. Raises ChainError."""
        times = _all(Node.head_time, self.hive)
        if len(times) == 2 and abs(times[0] - times[1]) > MOST_APART_SECONDS:
            raise ChainError("the two nodes that answer are hours apart: name a third, or leave one out")
        return median_high(times)

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """As `Node.accounts`, of the first that answers."""
        wanted = list(names)
        return _first(lambda node: node.accounts(wanted), self.hive)

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        """As `EngineNode.balances`, of the first that answers. Without a node ChainError."""
        names, tokens = list(accounts), list(symbols)
        return _first(lambda node: node.balances(names, tokens), self.engine)

    def broadcast(self, signed: Signed) -> Outcome:
        """Send it until a node takes it, to each at most once; each time another node begins.

        `refused` only if all say so: one that is behind refuses what the others take.
        """
        self._turn = (self._turn + 1) % len(self.hive)
        said: list[Outcome] = []
        for node in (*self.hive[self._turn :], *self.hive[: self._turn]):
            said.append(node.broadcast(signed))
            if said[-1].status == "sent":
                return said[-1]
        return next((outcome for outcome in said if outcome.status == "unknown"), said[0])


def check_clock(position: Position, now: float) -> None:
    """Refuse a node whose chain time is far from ours: stale, or out to make us sign what lives for long.

    Raises ChainError.
    """
    apart = round(position.time - now)
    if abs(apart) > MAX_CLOCK_SECONDS:
        where = "ahead of" if apart > 0 else "behind"
        raise ChainError(
            f"the node's chain is {abs(apart)} seconds {where} this machine's clock: name another --node, "
            "or set the clock"
        )


# -- answers --------------------------------------------------------------------------------------


def _call(session: requests.Session, url: str, method: str, params: object) -> object:
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    with session.post(url, json=body, timeout=_TIMEOUT, allow_redirects=False, stream=True) as response:
        answer = _read(response)
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise NodeRefusal(_line(str(error.get("message", "an error without words"))))
    return answer.get("result") if isinstance(answer, dict) else None


def _read(response: requests.Response) -> object:
    """The JSON of a response, if it is not too long. Raises requests.RequestException."""
    if response.status_code != HTTPStatus.OK:  # a redirection is not followed either
        raise requests.HTTPError(response=response)
    raw = b""
    for chunk in response.iter_content(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > LARGEST_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer is too long")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise requests.exceptions.InvalidJSONError("the answer is not JSON") from None


def _line(text: str) -> str:
    """A stranger's words, fit for a log."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_WORDS])


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return str(error) if isinstance(error, NodeRefusal) else type(error).__name__


NodeKind = TypeVar("NodeKind", Node, EngineNode)


def _first(ask: Callable[[NodeKind], T], nodes: Sequence[NodeKind]) -> T:
    failure = ChainError("no node named for that")
    for at, node in enumerate(nodes):
        try:
            return ask(node)
        except ChainError as error:
            failure = failure if at else error
    raise failure


def _all(ask: Callable[[Node], T], nodes: Sequence[Node]) -> list[T]:
    answers: list[T] = []
    failure: ChainError | None = None
    for node in nodes:
        try:
            answers.append(ask(node))
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
    if raw["precision"] != NATIVE_PRECISION:
        raise ValueError("a coin with other decimals")
    return _COINS[raw["nai"]], int(raw["amount"])
