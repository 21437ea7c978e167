"""A simulated Hive chain: accounts, pending transactions, blocks, forks and irreversibility.

It has no clock and no randomness: time is passed in, keys come from the seed. The same calls give the same
blocks, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from indexer.devnet.block_store import BlockStore
from indexer.devnet.hive import serialization as packing
from indexer.devnet.hive.account_update import AccountUpdate
from indexer.devnet.hive.accounts import Accounts, Delta
from indexer.devnet.hive.authority import authorize, required
from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.errors import ChainError, Frame
from indexer.devnet.hive.keys import BlockSigner, PlaceholderSigner, PrivateKey
from indexer.devnet.hive.operations import CustomJson, OperationError, PowerUp, Transfer, parse_operation
from indexer.devnet.hive.serialization import Transaction

MAX_EXPIRATION_SECONDS: Final = 86_400
DEFAULT_EXPIRATION_SECONDS: Final = 60
DEFAULT_BLOCK_BYTES: Final = 65_536
MAX_TRANSACTION_BYTES: Final = 65_536 - 256
TRANSFER_COST: Final = 147_527_684  # resource credits of a transfer
DEFAULT_GENESIS: Final = 1_760_000_000
WITNESSES: Final = ("witness-ann", "witness-bob", "witness-cat", "witness-dan")


class Chain:
    """The state of the chain. Not thread-safe: `DevNode` holds a lock around it.

    `block_time` is in seconds. `lag` is the number of blocks by which irreversibility trails head, and
    `stalled` stops it. `first_block` is the number of the first produced block. Without `sign` blocks carry
    placeholder signatures, which is faster. `check_json` rejects a custom_json whose text is not
    JSON, as nodes do.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        block_time: int = 3,
        genesis: int = DEFAULT_GENESIS,
        first_block: int = 1,
        lag: int = 0,
        sign: bool = True,
        check_json: bool = True,
        max_block_bytes: int = DEFAULT_BLOCK_BYTES,
    ) -> None:
        if block_time < 1 or first_block < 1:
            raise ValueError("block_time and first_block must be at least 1")
        self.seed = seed
        self.block_time = block_time
        self.genesis = genesis
        self.first_block = first_block
        self.lag = lag
        self.stalled = False
        self.without_rc: frozenset[str] = frozenset()  # accounts whose signed transactions are refused
        self.check_json = check_json
        self.max_block_bytes = max_block_bytes
        self.chain_id = hashlib.sha256(f"peakedex devnet {seed}".encode()).digest()
        self.accounts = Accounts(seed)
        self.witnesses = WITNESSES
        make: type[PrivateKey] | type[PlaceholderSigner] = PrivateKey if sign else PlaceholderSigner
        self._signers: list[BlockSigner] = [make(f"{seed}:{name}:block") for name in WITNESSES]
        self._origin = (first_block - 1).to_bytes(4, "big") + bytes(16)
        self._round = 0
        self._ids: list[bytes] = []
        self._stored = BlockStore()
        self._times: list[int] = []
        self._located: dict[str, tuple[int, int]] = {}
        self._pending: dict[str, tuple[Transaction, list[Delta]]] = {}
        self._reversible: deque[tuple[Block, list[list[Delta]]]] = deque()
        self._irreversible = first_block - 1
        for name in WITNESSES:
            self.accounts.create(name, genesis)

    # -- queries ---------------------------------------------------------------------------------

    @property
    def head(self) -> int:
        """Number of the newest block; `first_block - 1` without blocks."""
        return self.first_block - 1 + len(self._ids)

    @property
    def head_id(self) -> bytes:
        """Id (20 bytes) of the newest block; without blocks, the first block's `previous`."""
        return self._ids[-1] if self._ids else self._origin

    @property
    def head_time(self) -> int:
        """Timestamp of the newest block in seconds since 1970."""
        return self._times[-1] if self._times else self.genesis

    @property
    def irreversible(self) -> int:
        """Number of the last irreversible block. It never decreases."""
        return self._irreversible

    @property
    def irreversible_time(self) -> int:
        """Timestamp of the last irreversible block in seconds since 1970."""
        at = self._irreversible - self.first_block
        return self._times[at] if at >= 0 else self.genesis

    @property
    def head_witness(self) -> str:
        """The witness of the newest block."""
        return self.witnesses[(self.head + self._round) % len(self.witnesses)]

    @property
    def pending_count(self) -> int:
        """Number of pending transactions."""
        return len(self._pending)

    def has(self, number: int) -> bool:
        """Whether the chain has a block of this number."""
        return self.first_block <= number <= self.head

    def stored(self, number: int) -> bytes:
        """The block's compact JSON in the block_api shape. Raises KeyError."""
        if not self.has(number):
            raise KeyError(number)
        return self._stored[number - self.first_block]

    def id_of(self, number: int) -> bytes:
        """The block's 20-byte id. Raises KeyError."""
        if not self.has(number):
            raise KeyError(number)
        return self._ids[number - self.first_block]

    def locate(self, transaction_id: str) -> tuple[int, int] | None:
        """`(block number, index in the block)` of a transaction, or None if it is in no block."""
        return self._located.get(transaction_id)

    def is_pending(self, transaction_id: str) -> bool:
        """Whether the transaction is pending."""
        return transaction_id in self._pending

    # -- transactions ----------------------------------------------------------------------------

    def build(
        self, operations: Iterable[object], expires_in: int = DEFAULT_EXPIRATION_SECONDS
    ) -> Transaction:
        """An unsigned transaction of operations, which may be parsed or JSON of either shape.

        It references the last irreversible block, so that it survives forks. Its expiration is increased
        until its id is new, so that equal operations can be sent twice. Raises ChainError.
        """
        try:
            parsed = tuple(
                raw
                if isinstance(raw, Transfer | PowerUp | CustomJson | AccountUpdate)
                else parse_operation(raw)
                for raw in operations
            )
        except OperationError as error:
            raise ChainError(str(error)) from error
        refers_to = self.irreversible
        number, prefix = packing.reference(self.id_of(refers_to) if self.has(refers_to) else self._origin)
        transaction = Transaction(number, prefix, self.head_time + expires_in, parsed)
        for later in range(1, MAX_EXPIRATION_SECONDS - expires_in):
            if transaction.id not in self._located and transaction.id not in self._pending:
                return transaction
            transaction = replace(transaction, expiration=self.head_time + expires_in + later)
        raise ChainError("Assert Exception:too many equal transactions are pending")

    def push(self, transaction: Transaction, *, authorized: bool = False) -> str:
        """Validate a transaction as a node does, add it to the pending ones, and return its id.

        `authorized` skips the signatures. Raises ChainError without changing anything.
        """
        self._check_size(transaction)
        self._check_expiration(transaction)
        self._check_known(transaction)
        self._check_transaction(transaction)
        if not authorized:
            transaction = authorize(transaction, self.chain_id, self.accounts.authority)
            self._check_known(transaction)  # under the packing that was signed
        deltas = self.accounts.apply(transaction.operations)
        if not authorized and not self.without_rc.isdisjoint(frozenset.union(*required(transaction))):
            self.accounts.revert(deltas)
            raise _no_rc(min(self.without_rc & frozenset.union(*required(transaction))))
        self._pending[transaction.id] = transaction, deltas
        return transaction.id

    def _check_known(self, transaction: Transaction) -> None:
        if transaction.id in self._located or transaction.id in self._pending:
            text = "Duplicate transaction check failed"
            raise ChainError(
                f"Assert Exception:!is_known_transaction( trx_id ): {text}",
                frame=Frame("_push_transaction", text),
            )

    def _check_size(self, transaction: Transaction) -> None:
        if not transaction.operations:
            raise ChainError(
                "Assert Exception:operations.size() > 0: A transaction must have at least one operation"
            )
        if transaction.size > MAX_TRANSACTION_BYTES:
            raise ChainError(
                "Assert Exception:trx_size <= trx_size_limit: Transaction too large - "
                f"size = {transaction.size}, limit {MAX_TRANSACTION_BYTES}"
            )

    def _check_expiration(self, transaction: Transaction) -> None:
        if not self.head_time < transaction.expiration:
            raise ChainError(
                "transaction expiration exception:now < full_transaction->get_runtime_expiration(): "
            )
        if transaction.expiration > self.head_time + MAX_EXPIRATION_SECONDS:
            raise ChainError(
                "transaction expiration exception:"
                "trx.expiration <= now + HIVE_MAX_TIME_UNTIL_SIGNATURE_EXPIRATION: "
            )

    def _check_transaction(self, transaction: Transaction) -> None:
        behind = (self.head - transaction.ref_block_num) & 0xFFFF
        refers_to = self.head - behind
        known = self.id_of(refers_to) if self.has(refers_to) else self._origin
        if packing.reference(known) != (transaction.ref_block_num, transaction.ref_block_prefix):
            raise ChainError(
                "transaction tapos exception:trx.ref_block_prefix == tapos_block_summary.block_id._hash[1]: "
            )
        if self.check_json:
            for operation in transaction.operations:
                if isinstance(operation, CustomJson) and not _is_json(operation.json):
                    raise ChainError(
                        "Assert Exception:fc::json::is_valid(json, "
                        "fc::json::format_validation_mode::relaxed ): JSON is not valid JSON"
                    )

    # -- blocks ----------------------------------------------------------------------------------

    def produce(self, now: int | None = None) -> Block:
        """Produce the next block from the pending transactions.

        `now` is in seconds since 1970, by default one block time after head. Timestamps of blocks are at
        least one second apart.
        """
        timestamp = max(now if now is not None else self.head_time + self.block_time, self.head_time + 1)
        if any(tx.expiration <= timestamp for tx, _ in self._pending.values()):
            self.reapply_pending(timestamp, [])
        chosen = self._take_for_block()
        transactions = tuple(tx for tx, _ in chosen)
        number, previous = self.head + 1, self.head_id
        turn = (number + self._round) % len(self.witnesses)
        root = packing.merkle_root([tx.merkle_leaf() for tx in transactions])
        header = packing.pack_header(previous, timestamp, self.witnesses[turn], root)
        signature = self._signers[turn].sign(hashlib.sha256(header).digest())
        block = Block(
            number,
            packing.block_id(number, header, signature),
            previous,
            timestamp,
            self.witnesses[turn],
            root,
            signature,
            self._signers[turn].public_key,
            transactions,
        )
        self._ids.append(block.id)
        self._times.append(timestamp)
        self._stored.append(msgspec.json.encode(block.block_api()))
        for at, transaction in enumerate(transactions):
            self._located[transaction.id] = number, at
        self._reversible.append((block, [deltas for _, deltas in chosen]))
        self.advance_irreversible()
        return block

    def _take_for_block(self) -> list[tuple[Transaction, list[Delta]]]:
        """Remove from the pending transactions, oldest first, those that fit into the next block."""
        chosen: list[tuple[Transaction, list[Delta]]] = []
        space = self.max_block_bytes
        for transaction, deltas in self._pending.values():
            space -= transaction.size
            if space < 0 and chosen:
                break
            chosen.append((transaction, deltas))
        for transaction, _ in chosen:
            del self._pending[transaction.id]
        return chosen

    def advance_irreversible(self) -> None:
        """Raise the irreversible number to `lag` blocks behind head, unless `stalled`."""
        if not self.stalled:
            self._irreversible = max(self._irreversible, self.head - self.lag)
        while self._reversible and self._reversible[0][0].number <= self._irreversible:
            self._reversible.popleft()

    def rewind(self, number: int, *, forget: bool = False) -> list[Block]:
        """Drop all blocks above `number`, as a fork does, and return them, oldest first.

        Their transactions become pending again, unless `forget`. The witnesses' turns change, so that the
        new blocks differ from the dropped ones. Raises ValueError for an irreversible block.
        """
        if not self._irreversible <= number <= self.head:
            raise ValueError(
                f"cannot rewind to {number}: irreversible {self._irreversible}, head {self.head}"
            )
        # Pending transactions were applied last, so they are reverted first.
        waiting = [tx for tx, _ in self._pending.values()]
        self._drop_pending()
        dropped: list[Block] = []
        while self.head > number:
            block, deltas_of = self._reversible.pop()
            for deltas in reversed(deltas_of):
                self.accounts.revert(deltas)
            for transaction in block.transactions:
                del self._located[transaction.id]
            for column in (self._ids, self._times, self._stored):
                column.pop()
            dropped.insert(0, block)
        self._round += 1
        returned = [] if forget else [tx for block in dropped for tx in block.transactions]
        self.reapply_pending(self.head_time, returned + waiting)
        return dropped

    def _drop_pending(self) -> None:
        for _, deltas in reversed(self._pending.values()):
            self.accounts.revert(deltas)
        self._pending.clear()

    def reapply_pending(self, now: int, extra: Sequence[Transaction]) -> None:
        """Reapply the pending transactions, then `extra`. Expired and now invalid ones are dropped."""
        waiting = [tx for tx, _ in self._pending.values()]
        self._drop_pending()
        for transaction in (*waiting, *extra):
            if transaction.expiration > now:
                try:
                    self.push(transaction, authorized=True)
                except ChainError:
                    continue


def _no_rc(account: str) -> ChainError:
    text = (
        "Account: ${account_name} has ${rc_current} RC, needs ${rc} RC. "
        "Please wait to transact or power up HIVE."
    )
    data = {"account_name": account, "rc_current": 0, "rc": TRANSFER_COST}
    message = text
    for name, value in data.items():
        message = message.replace(f"${{{name}}}", str(value))
    return ChainError(
        f"payer has not enough RC mana for transaction:has_mana: {message}",
        frame=Frame("operator()", text, data),
    )


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
