"""A simulated Hive-Engine sidechain: executes the actions in Hive blocks and stores their receipts.

It follows the published node's streamer and its contracts `tokens` and `resourcemanager`: actions come from
custom_json and memos, a failed check adds an error to the logs without reverting anything, `to` is trimmed,
quantities are strings. Block hashes are chained, but not computed by the published formula.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Final

import msgspec

from indexer.devnet.block_store import BlockStore
from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.serialization import iso_time
from indexer.devnet.sidechain.actions import SIDECHAIN_ID, Action, Row, actions_of
from indexer.devnet.sidechain.quantity import parse_quantity
from indexer.devnet.sidechain.tokens_contract import (
    ERROR_ACTIVE_KEY,
    MAX_PRECISION,
    TOKENS,
    Logs,
    Token,
    TokensContract,
)

ACTIONS_PER_ACCOUNT: Final = 20
# A contract that exists on the devnet only: several transfers in one action, so several events in one log.
SPLITTER: Final = "devnetsplit"
DAY_SECONDS: Final = 86_400
ERROR_TOO_MANY: Final = "max transaction limit per block reached."
ERROR_DENIED: Final = "max transaction limit per day reached."


class Sidechain(TokensContract):
    """The state of the sidechain. Not thread-safe: `DevNode` holds a lock around it.

    `execute` takes the Hive blocks in order. Every `heartbeat` Hive blocks (0 for never) there is a sidechain
    block even without actions, with a virtual transaction like the public sidechain's inflation.
    """

    def __init__(self, chain_id: str = SIDECHAIN_ID, heartbeat: int = 5, keep_blocks: bool = True) -> None:
        super().__init__()
        self.chain_id = chain_id
        self.heartbeat = heartbeat
        self.keep_blocks = keep_blocks
        self.denied: frozenset[str] = frozenset()  # accounts that `resourcemanager` marks as isDenied
        self._denied_at: dict[str, int] = {}  # when a denied account last acted
        self.last_hive_block = 0
        self._blocks = BlockStore()
        self._by_hive: dict[int, int] = {}
        self._by_transaction: dict[str, int] = {}
        self._number = 0
        self._hash = hashlib.sha256(chain_id.encode()).hexdigest()
        self._database_hash = self._hash
        self._sealed_database_hash = self._hash
        self.last_block: Row | None = None  # of the last Hive block, None if it was empty

    # -- queries ---------------------------------------------------------------------------------

    @property
    def block_number(self) -> int:
        """Number of the newest sidechain block, 0 without blocks."""
        return self._number

    def block(self, number: int) -> bytes | None:
        """The JSON of a sidechain block by its number, or None."""
        return self._blocks[number - 1] if 1 <= number <= len(self._blocks) else None

    def block_of_hive(self, hive_number: int) -> bytes | None:
        """The JSON of a Hive block's sidechain block; None without actions, or if not executed yet."""
        number = self._by_hive.get(hive_number)
        return self.block(number) if number is not None else None

    def transaction(self, ident: str) -> Row | list[Row] | None:
        """An executed action by its id, or all those of a Hive transaction by its id; None for none."""
        raw = self.block(self._by_transaction.get(ident, 0))
        if raw is None:
            return None
        decoded: dict[str, Any] = msgspec.json.decode(raw)
        number, several = decoded["blockNumber"], []
        for index, row in enumerate(decoded["transactions"]):
            if row["transactionId"] == ident:
                return {"blockNumber": number, **row}
            if row["transactionId"].startswith(f"{ident}-"):
                several.append({"blockNumber": number, "transactionIndex": index, **row})
        return several

    def has_executed(self, block: Block) -> bool:
        """Whether it executed an action of this Hive block before, in another block."""
        return any(action.id in self._by_transaction for action in actions_of(block, self.chain_id))

    def balance(self, account: str, symbol: str) -> int:
        """An account's balance of a token in units; 0 for an unknown account or token."""
        token = self.tokens.get(symbol)
        return token.balances.get(account, 0) if token else 0

    # -- without operations on the chain ---------------------------------------------------------

    def create_token(self, symbol: str, precision: int, issuer: str = "null") -> Token:
        """Create a token. Raises ValueError if it exists or the precision is not 0 to 8."""
        if symbol in self.tokens or not 0 <= precision <= MAX_PRECISION:
            raise ValueError(f"token {symbol} exists already, or its precision {precision} is not 0 to 8")
        token = self.tokens[symbol] = Token(symbol, precision, issuer)
        return token

    def grant(self, account: str, symbol: str, quantity: str) -> None:
        """Issue tokens to an account. Raises ValueError."""
        token, value = self.tokens.get(symbol), parse_quantity(quantity)
        if token is None:
            raise ValueError(f"unknown token {symbol}")
        if value is None or value.infinite or value.digits <= 0 or value.decimals > token.precision:
            raise ValueError(f"{quantity!r} is not a positive quantity of {symbol}")
        units = value.units(token.precision)
        token.credit(account, units, token.text(units))
        token.supply += units

    # -- blocks ----------------------------------------------------------------------------------

    def execute(self, block: Block) -> Row | None:
        """Execute the actions of the next Hive block, and return the sidechain block, None if it is empty.

        Raises ValueError for any other block.
        """
        if self.last_hive_block and block.number != self.last_hive_block + 1:
            raise ValueError(f"Hive block {block.number} does not follow {self.last_hive_block}")
        self.last_hive_block = block.number
        count: Counter[str] = Counter()
        rows: list[Row] = []
        for action in actions_of(block, self.chain_id):
            count[action.sender] += 1
            logs = Logs()
            if logs.require(count[action.sender] <= ACTIONS_PER_ACCOUNT, ERROR_TOO_MANY) and logs.require(
                self._may_act(action.sender, block.timestamp), ERROR_DENIED
            ):
                self._run(action, logs)
            rows.append(self._row(block.number, action, logs.text()))
        virtual: list[Row] = []
        if self.heartbeat and block.number % self.heartbeat == 0:
            virtual.append(self._virtual_action(block.number))
        self.last_block = self._seal(block, rows, virtual) if rows or virtual else None
        return self.last_block

    def _may_act(self, account: str, now: int) -> bool:
        """Whether `resourcemanager` lets it act: a denied account once in 24 hours."""
        if account not in self.denied:
            return True
        last = self._denied_at.get(account)
        if last is not None and now - last < DAY_SECONDS:
            return False
        self._denied_at[account] = now
        return True

    def _row(self, hive_number: int, action: Action, logs: str) -> Row:
        text = f"{hive_number}{action.id}{action.sender}{action.contract}{action.name}{action.payload_text}"
        digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
        changed = hashlib.sha256((self._database_hash + logs).encode(errors="replace")).hexdigest()
        self._database_hash = changed
        return {
            "refHiveBlockNumber": hive_number,
            "transactionId": action.id,
            "sender": action.sender,
            "contract": action.contract,
            "action": action.name,
            "payload": action.payload_text,
            "executedCodeHash": "",
            "hash": digest,
            "databaseHash": changed,
            "logs": logs,
        }

    def _virtual_action(self, hive_number: int) -> Row:
        action = Action(
            f"{hive_number}-0", "null", "inflation", "issueNewTokens", {}, '{"isSignedWithActiveKey":true}'
        )
        logs = Logs()
        logs.emit("inflation", "tick", {"block": hive_number})
        return self._row(hive_number, action, logs.text())

    def _seal(self, block: Block, rows: list[Row], virtual: list[Row]) -> Row:
        previous_hash, number = self._hash, self._number + 1
        roots = _merkle([(str(row["hash"]), str(row["databaseHash"])) for row in rows + virtual])
        sealed: Row = {
            "blockNumber": number,
            "refHiveBlockNumber": block.number,
            "refHiveBlockId": block.id.hex(),
            "prevRefHiveBlockId": block.previous.hex(),
            "previousHash": previous_hash,
            "previousDatabaseHash": self._sealed_database_hash,
            "timestamp": iso_time(block.timestamp),
            "transactions": rows,
            "virtualTransactions": virtual,
            "hash": "",
            "databaseHash": roots[1],
            "merkleRoot": roots[0],
            "round": None,
            "roundHash": "",
            "witness": "",
            "signingKey": "",
            "roundSignature": "",
            "enablePerUserTxLimit": True,
            "_id": number,
        }
        text = (
            f"{previous_hash}{number}{block.number}{block.id.hex()}{sealed['timestamp']}{roots[0]}{roots[1]}"
        )
        self._hash = hashlib.sha256(text.encode()).hexdigest()
        sealed["hash"] = self._hash
        self._sealed_database_hash = roots[1]
        self._number = number
        if self.keep_blocks:
            self._blocks.append(msgspec.json.encode(sealed))
            self._by_hive[block.number] = number
            for row in rows:
                ident = str(row["transactionId"])
                self._by_transaction[ident] = self._by_transaction[ident.partition("-")[0]] = number
        return sealed

    # -- contracts -------------------------------------------------------------------------------

    def _run(self, action: Action, logs: Logs) -> None:
        if action.name == "createSSC":
            logs.errors.append("you cannot trigger this action")
        elif action.contract not in (TOKENS, SPLITTER):
            logs.errors.append("contract doesn't exist")
        elif not isinstance(action.payload, dict):
            logs.errors.append(ERROR_ACTIVE_KEY)
        elif action.contract == TOKENS:
            self.run_tokens(action.name, action.sender, action.payload, logs)
        elif action.contract == SPLITTER and action.name == "send":
            self._split(action.sender, action.payload, logs)
        else:
            logs.errors.append("unknown error")

    def _split(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`devnetsplit.send {symbol, list: [[to, quantity], …]}`: independent transfers in one action."""
        entries = payload.get("list")
        if not logs.require(isinstance(entries, list) and len(entries) <= 50, "invalid list"):
            return
        assert isinstance(entries, list)
        for entry in entries:
            if logs.require(isinstance(entry, list) and len(entry) == 2, "invalid entry"):
                self.transfer(sender, payload | {"to": entry[0], "quantity": entry[1]}, logs)


def _merkle(pairs: list[tuple[str, str]]) -> tuple[str, str]:
    """Merkle roots of both hashes by the public node's rule: an odd node is paired with itself."""
    level = pairs
    while True:
        level = [
            (_join(left[0], right[0]), _join(left[1], right[1]))
            for left, right in zip(level[::2], level[1::2] + level[-1:], strict=False)
        ]
        if len(level) == 1:
            return level[0]


def _join(left: str, right: str) -> str:
    return hashlib.sha256((left + right).encode()).hexdigest()
