"""secp256k1 keys: signing of blocks, and recovery of the keys that signed a transaction.

Keys are derived from text, so a devnet of the same seed has the same keys, and anyone can derive them: never
use them on a public network.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, Protocol

import ecdsa  # type: ignore[import-untyped]
from ecdsa.rfc6979 import generate_k  # type: ignore[import-untyped]

from settlement.net.hive_formats import format_public_key, format_wif

SIGNATURE_BYTES: Final = 65

_CURVE: Final = ecdsa.SECP256k1
_ORDER: Final[int] = int(_CURVE.order)
_MAX_ATTEMPTS: Final = 256


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
        self._secret = hashlib.sha256(secret_text.encode()).digest()
        self._exponent = int.from_bytes(self._secret, "big") % _ORDER
        signing_key = ecdsa.SigningKey.from_secret_exponent(self._exponent, curve=_CURVE)
        self._public = format_public_key(signing_key.verifying_key.to_string("compressed"))

    @property
    def public_key(self) -> str:
        """`STM…`."""
        return self._public

    @property
    def wif(self) -> str:
        """The private key in wallet import format, as wallets and beem take it."""
        return format_wif(self._exponent.to_bytes(32, "big"))

    def sign(self, digest: bytes) -> bytes:
        """The canonical, deterministic signature of a 32-byte digest: recovery byte, r, s."""
        number = int.from_bytes(digest, "big")
        for attempt in range(_MAX_ATTEMPTS):
            extra = attempt.to_bytes(32, "big") if attempt else b""
            nonce = int(generate_k(_ORDER, self._exponent, hashlib.sha256, digest, extra_entropy=extra))
            point = _CURVE.generator * nonce
            x, y = int(point.x()), int(point.y())
            r = x % _ORDER
            s = pow(nonce, -1, _ORDER) * (number + r * self._exponent) % _ORDER
            recovery = y & 1 | (2 if x >= _ORDER else 0)
            if s > _ORDER // 2:
                s, recovery = _ORDER - s, recovery ^ 1
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
            if r and s and _canonical(signature):
                return bytes((31 + recovery,)) + signature
        raise AssertionError("no canonical signature found, although each attempt succeeds half of the time")


class PlaceholderSigner:
    """Signs with a hash instead of a key, for generated chains whose signatures are not verified."""

    def __init__(self, secret_text: str) -> None:
        self._secret = hashlib.sha256(secret_text.encode()).digest()
        self.public_key = format_public_key(b"\x02" + self._secret)

    def sign(self, digest: bytes) -> bytes:
        """65 deterministic bytes in the format of a signature."""
        return b"\x1f" + hashlib.sha512(self._secret + digest).digest()


@lru_cache(maxsize=4096)
def recover_public_key(digest: bytes, signature: bytes) -> str:
    """The `STM…` key that signed the digest. Raises SignatureError. Cached: it takes about 10 ms."""
    if len(signature) != SIGNATURE_BYTES or not 31 <= signature[0] <= 34:
        raise SignatureError("a signature must have 65 bytes and begin with a recovery byte of 31 to 34")
    r, s = int.from_bytes(signature[1:33], "big"), int.from_bytes(signature[33:], "big")
    recovery = signature[0] - 31
    x = r + (_ORDER if recovery & 2 else 0)
    field = int(_CURVE.curve.p())
    if not (0 < r < _ORDER and 0 < s < _ORDER and x < field):
        raise SignatureError("r or s is out of range")
    y_squared = (pow(x, 3, field) + 7) % field
    y = pow(y_squared, (field + 1) // 4, field)
    if y * y % field != y_squared:
        raise SignatureError("r is not on the curve")
    if y & 1 != recovery & 1:
        y = field - y
    point = ecdsa.ellipticcurve.PointJacobi(_CURVE.curve, x, y, 1, _ORDER)
    inverse = pow(r, -1, _ORDER)
    number = int.from_bytes(digest, "big")
    public = point * (s * inverse % _ORDER) + _CURVE.generator * (-number * inverse % _ORDER)
    if public == ecdsa.ellipticcurve.INFINITY:
        raise SignatureError("the recovered key is the point at infinity")
    prefix = b"\x03" if int(public.y()) & 1 else b"\x02"
    return format_public_key(prefix + int(public.x()).to_bytes(32, "big"))
