"""A produced Hive block and its two JSON shapes."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.devnet.hive.serialization import Transaction, iso_time


@dataclass(frozen=True, slots=True)
class Block:
    """A produced block; `timestamp` is in seconds since 1970."""

    number: int
    id: bytes
    previous: bytes
    timestamp: int
    witness: str
    merkle_root: bytes
    signature: bytes
    signing_key: str
    transactions: tuple[Transaction, ...]

    def block_api(self) -> dict[str, object]:
        """The block as `block_api` writes it."""
        return self._header() | {"transactions": [tx.block_api() for tx in self.transactions]}

    def condenser(self) -> dict[str, object]:
        """The block as `condenser_api` writes it."""
        transactions = [
            tx.condenser() | {"transaction_id": tx.id, "block_num": self.number, "transaction_num": at}
            for at, tx in enumerate(self.transactions)
        ]
        return self._header() | {"transactions": transactions}

    def _header(self) -> dict[str, object]:
        return {
            "previous": self.previous.hex(),
            "timestamp": iso_time(self.timestamp),
            "witness": self.witness,
            "transaction_merkle_root": self.merkle_root.hex(),
            "extensions": [],
            "witness_signature": self.signature.hex(),
            "block_id": self.id.hex(),
            "signing_key": self.signing_key,
            "transaction_ids": [tx.id for tx in self.transactions],
        }
