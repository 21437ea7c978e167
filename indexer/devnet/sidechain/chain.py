"""A simulated Hive-Engine sidechain: executes the actions in Hive blocks and stores their receipts.

It follows the published node's streamer and its contracts `tokens` and `resourcemanager`: actions come from
custom_json and memos, a failed check adds an error to the logs without reverting anything, `to` is trimmed,
quantities are strings. Block hashes are chained, but not computed by the published formula.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.serialization import iso_time
from indexer.devnet.sidechain.actions import SIDECHAIN_ID, Action, Row, actions_of, dump_json
from indexer.devnet.sidechain.quantity import parse_quantity, units_text
from settlement.core.parsing.names import is_account

ACTIONS_PER_ACCOUNT: Final = 20
MAX_PRECISION: Final = 8
TOKENS: Final = "tokens"
# A contract that exists on the devnet only: several transfers in one action, so several events in one log.
SPLITTER: Final = "devnetsplit"
DAY_SECONDS: Final = 86_400
BLACKLIST: Final = (
    *("gateiodeposit", "deepcrypto8", "bittrex", "poloniex", "huobi-pro", "binance-hot", "bitvavo"),
    *("blocktrades", "probitsteem", "probithive", "ionomy", "mxchive", "coinbasebase", "orinoco"),
    "user.dunamu",
)
"""Recipients that the published contract refuses, as recorded in 2026."""
# The contract looks the recipient up in a plain JavaScript object, which has this member.
_ALWAYS_BLACKLISTED: Final = "constructor"
_SCRIPT_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What JavaScript's `trim` removes."""
ERROR_ACTIVE_KEY: Final = "you must use a custom_json signed with your active key"
ERROR_TOO_MANY: Final = "max transaction limit per block reached."
ERROR_DENIED: Final = "max transaction limit per day reached."


@dataclass(slots=True)
class Token:
    """A token. Balances and supply are integers of `10^-precision`."""

    symbol: str
    precision: int
    issuer: str
    supply: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # first balances, stored as the sender wrote them

    def text(self, units: int) -> str:
        """Units as decimal text with the token's precision."""
        return units_text(units, self.precision)

    def balance_text(self, account: str) -> str:
        """An account's balance as the node stores it."""
        return self.written.get(account) or self.text(self.balances[account])

    def credit(self, account: str, units: int, written: str) -> None:
        """Add to a balance; the first one is stored as it was written."""
        if account in self.balances:
            self.written.pop(account, None)
        else:
            self.written[account] = written
        self.balances[account] = self.balances.get(account, 0) + units

    def debit(self, account: str, units: int) -> None:
        """Subtract from a balance."""
        self.written.pop(account, None)
        self.balances[account] -= units


@dataclass(slots=True)
class Logs:
    """Logs of an action: its events and errors."""

    events: list[Row] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def emit(self, contract: str, event: str, data: Row) -> None:
        """Add an event."""
        self.events.append({"contract": contract, "event": event, "data": data})

    def require(self, condition: object, error: str) -> bool:
        """Add the error unless the condition holds; return whether it holds."""
        if not condition:
            self.errors.append(error)
        return bool(condition)

    def text(self) -> str:
        """The JSON text of a receipt, without empty parts."""
        parts: Row = {}
        if self.errors:
            parts["errors"] = self.errors
        if self.events:
            parts["events"] = self.events
        return dump_json(parts)


class Sidechain:
    """The state of the sidechain. Not thread-safe: `DevNode` holds a lock around it.

    `execute` takes the Hive blocks in order. Every `heartbeat` Hive blocks (0 for never) there is a sidechain
    block even without actions, with a virtual transaction like the public sidechain's inflation.
    """

    def __init__(self, chain_id: str = SIDECHAIN_ID, heartbeat: int = 5, keep_blocks: bool = True) -> None:
        self.chain_id = chain_id
        self.heartbeat = heartbeat
        self.keep_blocks = keep_blocks
        self.tokens: dict[str, Token] = {}
        self.blacklist: tuple[str, ...] = BLACKLIST  # `params.blacklist` of the contract `tokens`
        self.denied: frozenset[str] = frozenset()  # accounts that `resourcemanager` marks as isDenied
        self._denied_at: dict[str, int] = {}  # when a denied account last acted
        self.last_hive_block = 0
        self._blocks: list[bytes] = []
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
        elif action.contract == TOKENS and action.name == "transfer":
            self.transfer(action.sender, action.payload, logs)
        elif action.contract == SPLITTER and action.name == "send":
            self._split(action.sender, action.payload, logs)
        else:
            logs.errors.append("unknown error")

    def transfer(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`tokens.transfer` with the checks of the public contract, in its order."""
        to, symbol, quantity = payload.get("to"), payload.get("symbol"), payload.get("quantity")
        if not logs.require(payload.get("isSignedWithActiveKey") is True, ERROR_ACTIVE_KEY):
            return
        if not (
            isinstance(to, str) and isinstance(symbol, str) and isinstance(quantity, str) and to and symbol
        ):
            logs.errors.append("invalid params")
            return
        value, recipient = parse_quantity(quantity), to.strip(_SCRIPT_SPACE)
        if value is None:
            logs.errors.append("invalid params")
            return
        if not (
            logs.require(recipient != sender, "cannot transfer to self")
            and logs.require(is_account(recipient), "invalid to")
            and logs.require(
                recipient not in self.blacklist and recipient != _ALWAYS_BLACKLISTED,
                f"not allowed to send to {recipient}",
            )
            and logs.require(symbol in self.tokens, "symbol does not exist")
        ):
            return
        token = self.tokens[symbol]
        if not (
            logs.require(value.decimals <= token.precision, "symbol precision mismatch")
            and logs.require(value.digits > 0, "must transfer positive quantity")
            and logs.require(sender in token.balances, "balance does not exist")
            and logs.require(
                not value.infinite and value.units(token.precision) <= token.balances[sender],
                "overdrawn balance",
            )
        ):
            return
        units = value.units(token.precision)
        token.debit(sender, units)
        token.credit(recipient, units, quantity)
        logs.emit(
            TOKENS, "transfer", {"from": sender, "to": recipient, "symbol": symbol, "quantity": quantity}
        )

    def _split(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        """`devnetsplit.send {symbol, list: [[to, quantity], …]}`: independent transfers in one action."""
        entries = payload.get("list")
        if not logs.require(isinstance(entries, list) and len(entries) <= 50, "invalid list"):
            return
        assert isinstance(entries, list)
        for entry in entries:
            if logs.require(isinstance(entry, list) and len(entry) == 2, "invalid entry"):
                self.transfer(sender, payload | {"to": entry[0], "quantity": entry[1]}, logs)

    def balance_rows(self) -> Iterable[Row]:
        """Rows of the table `tokens.balances`."""
        held = [(token, account) for token in self.tokens.values() for account in token.balances]
        for number, (token, account) in enumerate(held, 1):
            yield {
                "account": account,
                "symbol": token.symbol,
                "balance": token.balance_text(account),
                "stake": "0",
                "pendingUnstake": "0",
                "delegationsIn": "0",
                "delegationsOut": "0",
                "pendingUndelegations": "0",
                "_id": number,
            }


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
