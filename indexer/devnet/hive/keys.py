"""secp256k1 keys: signing of blocks, and recovery of the keys that signed a transaction.

Keys are derived from text, so a devnet of the same seed has the same keys, and anyone can derive them: never
use them on a public network.
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

from coincurve import PrivateKey as Secp256k1Key
from coincurve import PublicKey
from coincurve._libsecp256k1 import ffi  # type: ignore[import-not-found]

from settlement.net.hive_formats import format_public_key, format_wif

SIGNATURE_BYTES: Final = 65
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MAX_ATTEMPTS: Final = 256
_FIRST_RECOVERY: Final = 31  # of a compressed key


class SignatureError(ValueError):
    """Invalid signature bytes, or bytes from which no key can be recovered."""


class BlockSigner(Protocol):
    """Signs a witness's blocks."""

    @property
    def public_key(self) -> str: ...

    def sign(self, digest: bytes) -> bytes: ...


def _canonical(signature: bytes) -> bool:
    """Hive's rule for r and s: no sign bit and no redundant leading zero byte."""
    return all(
        not half[0] & 0x80 and not (half[0] == 0 and not half[1] & 0x80)
        for half in (signature[:32], signature[32:])
    )


class PrivateKey:
    """A key derived from text: deterministic, for development only."""

    def __init__(self, secret_text: str) -> None:
        exponent = int.from_bytes(hashlib.sha256(secret_text.encode()).digest(), "big") % _ORDER
        self._key = Secp256k1Key(exponent.to_bytes(32, "big"))
        self._public = format_public_key(self._key.public_key.format())

    @property
    def public_key(self) -> str:
        """`STM…`."""
        return self._public

    @property
    def wif(self) -> str:
        """The private key in wallet import format, as wallets and beem take it."""
        return format_wif(self._key.secret)

    def sign(self, digest: bytes) -> bytes:
        """The canonical, deterministic signature of a 32-byte digest: recovery byte, r, s."""
        for attempt in range(_MAX_ATTEMPTS):
            # RFC 6979 with extra entropy after the first attempt.
            entropy = ffi.new("unsigned char[32]", attempt.to_bytes(32, "big")) if attempt else ffi.NULL
            raw = self._key.sign_recoverable(digest, hasher=None, custom_nonce=(ffi.NULL, entropy))
            if _canonical(raw[:64]):
                return bytes((_FIRST_RECOVERY + raw[64],)) + raw[:64]
        raise AssertionError("no canonical signature found, although each attempt succeeds half of the time")


class PlaceholderSigner:
    """Signs with a hash instead of a key, for generated chains whose signatures are not verified."""

    def __init__(self, secret_text: str) -> None:
        self._secret = hashlib.sha256(secret_text.encode()).digest()
        self.public_key = format_public_key(b"\x02" + self._secret)

    def sign(self, digest: bytes) -> bytes:
        """65 deterministic bytes in the format of a signature."""
        return b"\x1f" + hashlib.sha512(self._secret + digest).digest()


def recover_public_key(digest: bytes, signature: bytes) -> str:
    """The `STM…` key that signed the digest. Raises SignatureError."""
    if len(signature) != SIGNATURE_BYTES or not 0 <= signature[0] - _FIRST_RECOVERY <= 3:
        raise SignatureError("a signature must have 65 bytes and begin with a recovery byte of 31 to 34")
    raw = signature[1:] + bytes((signature[0] - _FIRST_RECOVERY,))
    try:
        return format_public_key(PublicKey.from_signature_and_message(raw, digest, hasher=None).format())
    except ValueError:
        raise SignatureError("no key can be recovered from the signature") from None
