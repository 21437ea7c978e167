"""Transactions of one custom_json and their signatures, made by beem under a pinned chain id.

Of beem only serialization and signing are used. Its network layer trusts the chain id that a node names,
repeats broadcasts by itself, and returns None where the outcome is unknown.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Protocol

from beembase.operations import Custom_json
from beembase.signedtransactions import Signed_Transaction
from beemgraphenebase.account import PrivateKey

from peakedex.client.errors import KeyMissing, SigningFailed

MAINNET: Final = "beeab0de" + "0" * 56
Role = Literal["active", "posting"]

_WIF: Final = re.compile(r"5[HJK][1-9A-HJ-NP-Za-km-z]{49}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{130}")
_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Transaction:
    """A custom_json of one account before it is signed."""

    account: str
    role: Role
    custom_json_id: str
    text: str  # the custom_json's JSON
    reference: str  # TaPoS: id of a block that the chain must contain
    expires: int  # Unix seconds

    @cached_property
    def packed(self) -> bytes:
        """Hive's serialization without signatures, as beem makes it. Raises SigningFailed."""
        made = self._for_beem()
        try:
            made.deriveDigest(_chain(MAINNET))
        except (struct.error, ValueError, TypeError) as error:
            raise SigningFailed("beem cannot serialize the transaction; nothing was signed") from error
        packed = bytes(made.message)[32:]
        if self.text.encode() not in packed or self.account.encode() not in packed:
            raise SigningFailed("beem serializes another transaction; nothing was signed")
        return packed

    @property
    def id(self) -> str:
        """Transaction id, 40 hex digits; independent of the signature."""
        return hashlib.sha256(self.packed).hexdigest()[:40]

    def digest(self, chain_id: str) -> bytes:
        """The 32 bytes that are signed."""
        return hashlib.sha256(bytes.fromhex(chain_id) + self.packed).digest()

    def to_json(self) -> dict[str, Any]:
        """As condenser_api writes it, without signatures: what dhive and Keychain sign, too."""
        number, prefix = _tapos(self.reference)
        operation = {
            "required_auths": [self.account] if self.role == "active" else [],
            "required_posting_auths": [self.account] if self.role == "posting" else [],
            "id": self.custom_json_id,
            "json": self.text,
        }
        return {
            "ref_block_num": number,
            "ref_block_prefix": prefix,
            "expiration": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.expires)),
            "operations": [["custom_json", operation]],
            "extensions": [],
        }

    def _for_beem(self) -> Any:
        raw = self.to_json()
        [[_, operation]] = raw["operations"]
        return Signed_Transaction(
            ref_block_num=raw["ref_block_num"],
            ref_block_prefix=raw["ref_block_prefix"],
            expiration=raw["expiration"],
            operations=[Custom_json({**operation, "prefix": "STM"})],
        )

    def sign_by(self, wif: str, chain_id: str) -> str:
        """The signature (130 hex digits) with this key."""
        made = self._for_beem()
        made.sign([wif], chain=_chain(chain_id))
        if bytes(made.message) != bytes.fromhex(chain_id) + self.packed:
            raise SigningFailed("beem signed another transaction; nothing was sent")
        return bytes(made.data["signatures"].data[0]).hex()


class Signer(Protocol):
    """Signs for one account, with its active or posting key."""

    @property
    def account(self) -> str: ...

    @property
    def role(self) -> Role: ...

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        """The signature, 130 hex digits. Raises SigningFailed."""
        ...


class KeySigner:
    """Signer with a private key out of an environment variable; it is in no `repr`, log, error or pickle."""

    __slots__ = ("_wif", "account", "role")

    def __init__(self, account: str, variable: str, *, role: Role = "active") -> None:
        """`variable` names the environment variable, such as `BOT_ACTIVE_KEY`. Raises KeyMissing."""
        wif = os.environ.get(variable, "").strip()
        if not wif:
            raise KeyMissing(f"set the environment variable {variable} to the {role} key of {account}")
        if not _is_key(wif):
            raise KeyMissing(f"{variable} is not a private key in wallet import format (51 characters, 5…)")
        self._wif = wif
        self.account = account
        self.role: Role = role

    def __repr__(self) -> str:
        return f"KeySigner({self.account!r}, role={self.role!r})"

    def __reduce__(self) -> str:
        raise TypeError("a private key cannot be pickled")

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        """The signature. Raises SigningFailed."""
        return transaction.sign_by(self._wif, chain_id)


@dataclass(frozen=True)
class CallbackSigner:
    """Signer that asks the caller: a hardware device, a key store, another process.

    `callback` gets the transaction and the chain id, and returns the signature (130 hex digits) of
    `transaction.digest(chain_id)`.
    """

    account: str
    callback: Callable[[Transaction, str], str]
    role: Role = "active"

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        """The signature. Raises SigningFailed."""
        return self.callback(transaction, chain_id)


def signed_json(signer: Signer, transaction: Transaction, chain_id: str) -> dict[str, Any]:
    """The signed transaction, as `condenser_api.broadcast_transaction` takes it. Raises SigningFailed."""
    signature = signer.sign(transaction, chain_id)
    if not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        raise SigningFailed("the signer returned no signature of 130 lower-case hex digits; nothing was sent")
    return {**transaction.to_json(), "signatures": [signature]}


def _is_key(wif: str) -> bool:
    if _WIF.fullmatch(wif) is None:
        return False
    try:
        PrivateKey(wif)
    except (AssertionError, ValueError):  # what beem raises for a wrong checksum
        return False
    return True


def _chain(chain_id: str) -> dict[str, object]:
    return {"chain_id": chain_id, "prefix": "STM", "chain_assets": []}


def _tapos(block_id: str) -> tuple[int, int]:
    if _BLOCK_ID.fullmatch(block_id) is None:
        raise SigningFailed(f"{block_id[:50]!r} is not a block id")
    raw = bytes.fromhex(block_id)
    return int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[4:8], "little")
