"""RPC methods of signatures: verification of a transaction, and the keys that can sign it."""

from __future__ import annotations

from indexer.devnet.hive.authority import ROLES, Authority, authorize, required
from indexer.devnet.hive.serialization import Transaction, pack_varint
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import read_transaction
from indexer.devnet.rpc.json_rpc import Method, Params


class SigningMethods:
    """Signature methods of database_api, and their condenser_api versions."""

    def __init__(self, node: DevNode) -> None:
        self._chain = node.chain

    def tables(self) -> dict[str, dict[str, Method]]:
        """`{api: {method: function}}`."""
        return {
            "condenser_api": {
                "verify_authority": self._verify,
                "get_potential_signatures": self._potential,
                "get_required_signatures": self._needed,
                "get_transaction_hex": self._hex,
            },
            "database_api": {
                "verify_authority": lambda params: {"valid": self._verify(params)},
                "get_potential_signatures": lambda params: {"keys": self._potential(params)},
                "get_required_signatures": lambda params: {"keys": self._needed(params)},
                "get_transaction_hex": lambda params: {"hex": self._hex(params)},
            },
        }

    def _verify(self, params: Params) -> bool:
        """True, or the error that a broadcast would return."""
        authorize(
            read_transaction(params.get(0, "trx")), self._chain.chain_id, self._chain.accounts.authority
        )
        return True

    def _potential(self, params: Params) -> list[str]:
        """The keys that could sign, including those of accounts within authorities."""
        transaction = read_transaction(params.get(0, "trx"))
        owner, active, posting = required(transaction)
        found: set[str] = set()
        for name in owner:
            self._collect(self._chain.accounts.authority(name, "owner"), found)
        for name in active:
            self._collect(self._chain.accounts.authority(name, "active"), found)
            self._collect(self._chain.accounts.authority(name, "owner"), found)
        for name in posting:
            for role in ROLES:
                self._collect(self._chain.accounts.authority(name, role), found)
        return sorted(found)

    def _collect(self, authority: Authority, found: set[str], depth: int = 0) -> None:
        found |= {key for key, _ in authority.key_auths}
        if depth < 2:
            for name, _ in authority.account_auths:
                self._collect(self._chain.accounts.authority(name, "active"), found, depth + 1)

    def _needed(self, params: Params) -> list[str]:
        """The available keys that could sign."""
        potential = set(self._potential(params))
        return [key for key in params.texts(1, "available_keys") if key in potential]

    def _hex(self, params: Params) -> str:
        transaction: Transaction = read_transaction(params.get(0, "trx"))
        signatures = pack_varint(len(transaction.signatures)) + b"".join(transaction.signatures)
        return (transaction.unsigned_bytes + signatures).hex()
