"""Weighted authorities of keys and accounts, verified as Hive does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from indexer.devnet.hive.errors import (
    ASSERT,
    DUPLICATE,
    IRRELEVANT,
    MISSING_ACTIVE,
    MISSING_POSTING,
    AuthorityError,
)
from indexer.devnet.hive.keys import SignatureError, recover_public_key
from indexer.devnet.hive.operations import Transfer
from indexer.devnet.hive.serialization import Packing, Transaction

Role = Literal["owner", "active", "posting"]
ROLES: Final[tuple[Role, ...]] = ("owner", "active", "posting")
MAX_DEPTH: Final = 2
_PACKINGS: Final[tuple[Packing, ...]] = ("legacy", "nai")


@dataclass(frozen=True, slots=True)
class Authority:
    """Keys and accounts with weights, whose signatures must reach the threshold."""

    threshold: int
    key_auths: tuple[tuple[str, int], ...] = ()
    account_auths: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of_key(cls, public_key: str) -> Authority:
        """An authority of one key."""
        return cls(1, ((public_key, 1),))

    def to_json(self) -> dict[str, object]:
        """The JSON object of the node's APIs."""
        return {
            "weight_threshold": self.threshold,
            "account_auths": [list(item) for item in self.account_auths],
            "key_auths": [list(item) for item in self.key_auths],
        }


Lookup = Callable[[str, Role], Authority]


def required(transaction: Transaction) -> tuple[frozenset[str], frozenset[str]]:
    """The accounts whose active authority, and those whose posting authority, the operations require."""
    active: set[str] = set()
    posting: set[str] = set()
    for operation in transaction.operations:
        if isinstance(operation, Transfer):
            active.add(operation.sender)
        else:
            active.update(operation.required_auths)
            posting.update(operation.required_posting_auths)
    return frozenset(active), frozenset(posting)


def authorize(transaction: Transaction, chain_id: bytes, lookup: Lookup) -> Transaction:
    """Verify the signatures, and return the transaction with the packing that was signed.

    Raises AuthorityError if its required authorities are not satisfied under either packing. `lookup` returns
    an account's authority and may raise for an account that does not exist.
    """
    failure: AuthorityError | None = None
    for packing in _PACKINGS:
        packed = replace(transaction, packing=packing)
        try:
            _verify(packed, chain_id, lookup)
        except AuthorityError as error:
            failure = failure or error
        else:
            return packed
    assert failure is not None
    raise failure


def _verify(transaction: Transaction, chain_id: bytes, lookup: Lookup) -> None:
    keys = _signing_keys(transaction, chain_id)
    active, posting = required(transaction)
    if active and posting:
        raise AuthorityError(ASSERT, "cannot combine active and posting authorities")
    used: set[str] = set()
    for name in sorted(posting):
        if not any(satisfied(lookup(name, role), role, keys, used, lookup, 0) for role in reversed(ROLES)):
            raise AuthorityError(MISSING_POSTING, "Missing Posting Authority ${id}", id=name)
    for name in sorted(active):
        roles: tuple[Role, ...] = ("active", "owner")
        if not any(satisfied(lookup(name, role), role, keys, used, lookup, 0) for role in roles):
            raise AuthorityError(MISSING_ACTIVE, "Missing Active Authority ${id}", id=name)
    if set(keys) - used:
        raise AuthorityError(IRRELEVANT, "Unnecessary signature(s) detected")


def _signing_keys(transaction: Transaction, chain_id: bytes) -> Sequence[str]:
    digest = transaction.digest(chain_id)
    try:
        keys = [recover_public_key(digest, signature) for signature in transaction.signatures]
    except SignatureError as error:
        raise AuthorityError(ASSERT, f"is_canonical( c ): signature is not canonical: {error}") from error
    if len(set(keys)) != len(keys):
        raise AuthorityError(DUPLICATE, "Duplicate Signature detected")
    return keys


def satisfied(
    authority: Authority, role: Role, keys: Sequence[str], used: set[str], lookup: Lookup, depth: int
) -> bool:
    """Whether the keys reach the threshold. The keys that count are added to `used`."""
    weight = 0
    counted: set[str] = set()
    for key, key_weight in authority.key_auths:
        if weight >= authority.threshold:
            break  # as hived: a signature of a later key is unnecessary
        if key in keys:
            counted.add(key)
            weight += key_weight
    for name, account_weight in authority.account_auths:
        if weight >= authority.threshold or depth >= MAX_DEPTH:
            break
        # An account in an active or owner authority counts by its active authority.
        delegated: Role = "posting" if role == "posting" else "active"
        if satisfied(lookup(name, delegated), delegated, keys, counted, lookup, depth + 1):
            weight += account_weight
    if weight < authority.threshold:
        return False
    used |= counted
    return True
