"""Weighted authorities of keys and accounts, verified as Hive does since hardfork 28.

Authorities are strict: an active operation needs the active authority (not the owner's), a posting operation
the posting authority. Other signatures are ignored, and one transaction may need both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from indexer.devnet.hive.account_update import AccountUpdate
from indexer.devnet.hive.errors import (
    ASSERT,
    DUPLICATE,
    MISSING_ACTIVE,
    MISSING_OWNER,
    MISSING_POSTING,
    AuthorityError,
    Frame,
)
from indexer.devnet.hive.keys import SignatureError, recover_public_key
from indexer.devnet.hive.operations import PowerUp, Transfer
from indexer.devnet.hive.serialization import Packing, Transaction

Role = Literal["owner", "active", "posting"]
ROLES: Final[tuple[Role, ...]] = ("owner", "active", "posting")
MAX_DEPTH: Final = 2
_INSERTED: Final = (
    "new_signature_info.signature_keys.insert(fc::ecc::public_key(signature, new_signature_info.sig_digest))"
    ".second"
)
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


def required(transaction: Transaction) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The accounts whose owner, active and posting authority the operations require."""
    owner: set[str] = set()
    active: set[str] = set()
    posting: set[str] = set()
    for operation in transaction.operations:
        if isinstance(operation, Transfer | PowerUp):
            active.add(operation.sender)
        elif isinstance(operation, AccountUpdate):
            (active if operation.owner is None else owner).add(operation.account)
        else:
            active.update(operation.required_auths)
            posting.update(operation.required_posting_auths)
    return frozenset(owner), frozenset(active), frozenset(posting)


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
    owner, active, posting = required(transaction)
    for name in sorted(owner):
        if not satisfied(lookup(name, "owner"), "owner", keys, lookup, 0):
            raise AuthorityError.missing(MISSING_OWNER, "Owner", name)
    for name in sorted(active):
        if not satisfied(lookup(name, "active"), "active", keys, lookup, 0):
            raise AuthorityError.missing(MISSING_ACTIVE, "Active", name)
    for name in sorted(posting):
        if not satisfied(lookup(name, "posting"), "posting", keys, lookup, 0):
            raise AuthorityError.missing(MISSING_POSTING, "Posting", name)


def _signing_keys(transaction: Transaction, chain_id: bytes) -> Sequence[str]:
    digest = transaction.digest(chain_id)
    try:
        keys = [recover_public_key(digest, signature) for signature in transaction.signatures]
    except SignatureError as error:
        frame = Frame("public_key", "signature is not canonical")
        text = f"{ASSERT.prefix}:is_canonical(c): signature is not canonical"
        raise AuthorityError(text, frame=frame) from error
    if len(set(keys)) != len(keys):
        frame = Frame("compute_signature_keys", "Duplicate signature detected")
        raise AuthorityError(f"{DUPLICATE.prefix}:{_INSERTED}: Duplicate signature detected", frame=frame)
    return keys


def satisfied(authority: Authority, role: Role, keys: Sequence[str], lookup: Lookup, depth: int) -> bool:
    """Whether the keys reach the threshold. Accounts within an owner authority count by their active one."""
    inner: Role = "active" if role == "owner" else role
    weight = sum(key_weight for key, key_weight in authority.key_auths if key in keys)
    for name, account_weight in authority.account_auths:
        if weight >= authority.threshold or depth >= MAX_DEPTH:
            break
        if satisfied(lookup(name, inner), inner, keys, lookup, depth + 1):
            weight += account_weight
    return weight >= authority.threshold
