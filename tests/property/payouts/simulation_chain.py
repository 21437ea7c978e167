"""The chains of the simulation: hived's rules, with nodes and witnesses that are as hostile as the rules allow.

Every transaction that was broadcast is kept. Until it expires it may get into any block, in any order, also into
one that comes long after, if the block before that is older than the expiration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.hive.operations import Transfer
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import read_transaction
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.sidechain.tokens_contract import Logs
from settlement.payouts.chain.accounts import Account, Authority
from settlement.payouts.chain.nodes import ChainError, Execution, Outcome, Restrictions
from settlement.payouts.signing.transactions import SignedTransaction
from tests.property.payouts.simulation_relay import Relays
from tests.property.payouts.simulation_sidechain import EngineNode
from tests.system.payouts.world import PUBLIC, VIEW, execution

ESCROWS = frozenset(VIEW.escrows)
Outgo = tuple[str, str, str, str, str]  # escrow, symbol, amount, recipient, memo


class LateChain(Chain):
    """An honest witness omits transactions that expire before his block's time. The rule only compares with the
    time of the block before, and so does this chain."""

    def reapply_pending(self, now: int, extra: Sequence[Transaction]) -> None:
        super().reapply_pending(min(now, self.head_time), extra)


class Refusals:
    """Which payments of a Hive block are refused: drawn once, for whoever executes the block, as nodes agree on it."""

    def __init__(self) -> None:
        self._drawn: dict[bytes, list[bool]] = {}  # by block id, in order of the payments

    def __deepcopy__(self, memo: object) -> Refusals:
        return self

    def is_refused(self, block_id: bytes, position: int, draw: Callable[[], bool]) -> bool:
        drawn = self._drawn.setdefault(block_id, [])
        if position == len(drawn):
            drawn.append(draw())
        return drawn[position]


class WatchedSidechain(Sidechain):
    """Counts payments out of the escrow accounts on both chains, and refuses some at random."""

    def __init__(self, random: Random) -> None:
        super().__init__(heartbeat=2)  # "no receipts" is final one block later
        self.refusing = 0.0
        self.refused_recipients: frozenset[str] = frozenset()  # payments to them fail for ever
        self.outgoes: Counter[Outgo] = Counter()
        self.random = random
        self._refusals = Refusals()
        self._executing = (b"", 0)  # block id, and payments so far

    def execute(self, block: Block) -> dict[str, object] | None:
        self._executing = (block.id, 0)
        for transaction in block.transactions:
            for operation in transaction.operations:
                if isinstance(operation, Transfer) and operation.sender in ESCROWS:
                    mils, symbol = operation.amount
                    self.outgoes[
                        operation.sender, symbol, str(mils), operation.recipient, operation.memo
                    ] += 1
        return super().execute(block)

    def transfer(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        if payload.get("to") in self.refused_recipients:
            logs.errors.append(f"not allowed to send to {payload['to']}")
            return
        if sender in ESCROWS and self._is_refused():
            logs.errors.append("overdrawn balance")
            return
        before = len(logs.events)
        super().transfer(sender, payload, logs)
        if sender in ESCROWS and len(logs.events) > before:
            symbol, to = str(payload["symbol"]), str(payload["to"])
            units = self.tokens[symbol].precision
            whole, _, part = str(payload["quantity"]).partition(".")
            amount = int(whole + part.ljust(units, "0"))
            self.outgoes[sender, symbol, str(amount), to, str(payload.get("memo"))] += 1

    def _is_refused(self) -> bool:
        block_id, position = self._executing
        self._executing = (block_id, position + 1)
        return self._refusals.is_refused(block_id, position, lambda: self.random.random() < self.refusing)


class Mempool:
    """Every transaction that was broadcast, and its fate.

    `prompt`: into the next block; `late`: into the last block that may include it; `sometime`: into any block;
    `never`: into none.
    """

    FATES = ("prompt", "late", "sometime", "never")

    def __init__(self, chain: Chain, random: Random, *, authorized: bool) -> None:
        self._chain = chain
        self._random = random
        self._authorized = authorized
        self._known: dict[str, tuple[Transaction, str]] = {}
        self.weights = [random.choice((1, 3, 6)), random.choice((1, 4, 8)), 3, random.choice((0, 1, 2))]

    def __contains__(self, ident: str) -> bool:
        return ident in self._known

    def keep(self, transaction: Transaction) -> None:
        """Keep it. If it is broadcast again, it may be included although it was not to be."""
        fate = self._random.choices(self.FATES, self.weights)[0]
        known = self._known.get(transaction.id)
        if known is None or known[1] == "never":
            self._known[transaction.id] = transaction, fate

    def calm(self) -> None:
        """From now on everything gets into the next block."""
        self.weights = [1, 0, 0, 0]
        self._known = {ident: (transaction, "prompt") for ident, (transaction, _) in self._known.items()}

    def offer(self, timestamp: int) -> list[str]:
        """Submit what belongs into the next block, which will have this time; returns the ids."""
        chain, chosen = self._chain, []
        for transaction, fate in self._known.values():
            if chain.locate(transaction.id) is not None or transaction.expiration <= chain.head_time:
                continue
            is_last = transaction.expiration <= timestamp
            lucky = fate == "sometime" and self._random.random() < 0.15
            if fate == "prompt" or (fate == "late" and is_last) or lucky:
                chosen.append(transaction)
        self._random.shuffle(chosen)
        return [transaction.id for transaction in chosen if self._push(transaction)]

    def _push(self, transaction: Transaction) -> bool:
        try:
            self._chain.push(transaction, authorized=self._authorized)
        except DevnetError:
            return False
        return True


class Wire:
    """The nodes as a payouts process sees them. They lie as much as they can, while `faults` is not 0."""

    def __init__(self, node: DevNode, mempool: Mempool, random: Random, *, signed: bool) -> None:
        self.node = node
        self.mempool = mempool
        self.faults = 0.25
        self.engines: list[EngineNode] = []
        self.relays: Relays
        self.blacklist: frozenset[str] = frozenset()  # in the nodes' answers
        self.sent: Counter[str] = Counter()
        self._random = random
        self._signed = signed

    def answer(self, question: str, *arguments: Any, starting: bool) -> object:
        """A node's answer; a ChainError if there is none."""
        if question == "broadcast":
            return self._broadcast(*arguments)
        if self._random.random() < self.faults / 4:
            return ChainError("no node answers")
        if question == "head_time":
            return self._head_time(starting)
        if question == "execution":
            return self._execution(*arguments)
        if question == "relay_post":
            return self.relays.post(*arguments)
        if question == "relay_get":
            return self.relays.get(*arguments)
        if question == "restrictions":
            return Restrictions(blacklist=self.blacklist)
        return self._accounts(*arguments) if question == "accounts" else self._balances(*arguments)

    def _execution(self, ident: str) -> Execution | None:
        """As a Hive-Engine node has it: also one that is behind, or that followed a fork."""
        if self._random.random() < self.faults:
            return None
        return execution(self._random.choice(self.engines).execution(ident))

    def _head_time(self, starting: bool) -> int:
        """At a start the latest time of all nodes counts: one that is not behind suffices."""
        lie = 0
        if self._random.random() < self.faults:
            lie = self._random.choice((-3600, -60, -20, -3, 3, 20, 60, 3600))
        return self.node.chain.head_time + (max(lie, 0) if starting else lie)

    def _accounts(self, names: Iterable[str]) -> dict[str, Account]:
        """As the chain has them, with wrong balances and some missing."""
        accounts = self.node.chain.accounts
        found: dict[str, Account] = {}
        for name in sorted(names):
            if name not in accounts or (not self._signed and self._random.random() < self.faults / 4):
                continue
            keys: Mapping[str, int] = {PUBLIC: 1}
            needed = 1
            if self._signed and name in ESCROWS:
                authority = accounts.authority(name, "active")
                keys, needed = dict(authority.key_auths), authority.threshold
            mils = {coin: self._bend(units) for coin, units in sorted(accounts.get(name).balances.items())}
            found[name] = Account(name, Authority(needed, keys, {}), mils, {})
        return found

    def _balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        return {
            (name, symbol): token.text(self._bend(token.balances[name]))
            for symbol, token in sorted(self.node.sidechain.tokens.items())
            for name in sorted(set(accounts))
            if symbol in set(symbols) and name in token.balances
        }

    def _bend(self, units: int) -> int:
        return (
            self._random.choice((0, 2 * units, units // 2)) if self._random.random() < self.faults else units
        )

    def _broadcast(self, signed: SignedTransaction) -> Outcome:
        transaction = read_transaction(signed.to_json())
        assert transaction.id == signed.id
        self.sent[signed.id] += 1
        if self._random.random() >= self.faults:
            self.mempool.keep(transaction)
            return Outcome("sent")
        if self._random.random() < 0.7:  # it arrives nevertheless
            self.mempool.keep(transaction)
        return self._random.choice(
            (
                Outcome("unknown", "no answer"),
                Outcome("unknown", "answered nothing"),
                Outcome("refused", "Assert Exception: this node is behind"),
                Outcome("sent", "the node had it already"),
                Outcome("sent"),
            )
        )
