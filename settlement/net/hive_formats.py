"""Hive's text formats: base58 keys (`STM…`, WIF) and the native assets with their NAI."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

KEY_PREFIX: Final = "STM"
PUBLIC_KEY_BYTES: Final = 33  # compressed
SECRET_BYTES: Final = 32

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {letter: digit for digit, letter in enumerate(_ALPHABET)}
_CHECKSUM_BYTES: Final = 4
_WIF_VERSION: Final = b"\x80"


class KeyFormatError(ValueError):
    """Text that is not a key."""


class Asset(NamedTuple):
    """A native asset of Hive."""

    symbol: str
    nai: str  # numeric asset identifier
    precision: int  # decimal places


HIVE: Final = Asset("HIVE", "@@000000021", 3)
HBD: Final = Asset("HBD", "@@000000013", 3)
VESTS: Final = Asset("VESTS", "@@000000037", 6)
ASSET_BY_NAI: Final = {asset.nai: asset for asset in (HIVE, HBD, VESTS)}
COIN_BY_NAI: Final = {asset.nai: asset for asset in (HIVE, HBD)}
"""The assets that can be transferred."""
COIN_BY_SYMBOL: Final = {asset.symbol: asset for asset in (HIVE, HBD)}


def base58_encode(raw: bytes) -> str:
    """Base58 text of bytes; leading zero bytes become `1`."""
    number = int.from_bytes(raw, "big")
    out: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        out.append(_ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(out))


def base58_decode(text: str, size: int) -> bytes:
    """The `size` bytes of a base58 text. Raises KeyFormatError."""
    number = 0
    for letter in text:
        digit = _DIGITS.get(letter)
        if digit is None:
            raise KeyFormatError("not base58")
        number = number * 58 + digit
    if number >> (8 * size):
        raise KeyFormatError(f"more than {size} bytes")
    return number.to_bytes(size, "big")


def format_public_key(key: bytes) -> str:
    """`STM…` of a compressed public key (33 bytes)."""
    return KEY_PREFIX + base58_encode(key + _ripemd160(key))


def parse_public_key(text: str) -> bytes:
    """The compressed public key (33 bytes) of `STM…`. Raises KeyFormatError."""
    try:
        raw = base58_decode(text[len(KEY_PREFIX) :], PUBLIC_KEY_BYTES + _CHECKSUM_BYTES)
    except KeyFormatError as error:
        raise KeyFormatError(f"{text[:80]!a} is not a public key: {error}") from None
    key, checksum = raw[:PUBLIC_KEY_BYTES], raw[PUBLIC_KEY_BYTES:]
    if checksum != _ripemd160(key):
        raise KeyFormatError(f"{text[:80]!a} is not a public key: its checksum is wrong")
    return key


def format_wif(secret: bytes) -> str:
    """A private key (32 bytes) in wallet import format."""
    raw = _WIF_VERSION + secret
    return base58_encode(raw + _double_sha256(raw))


def parse_wif(text: str) -> bytes:
    """The private key (32 bytes) of a WIF text. Raises KeyFormatError, which never quotes the text."""
    try:
        raw = base58_decode(text, 1 + SECRET_BYTES + _CHECKSUM_BYTES)
    except KeyFormatError:
        raise KeyFormatError("not a private key in wallet import format") from None
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if body[:1] != _WIF_VERSION or checksum != _double_sha256(body):
        raise KeyFormatError("not a private key in wallet import format: its checksum is wrong")
    return body[1:]


def _ripemd160(raw: bytes) -> bytes:
    return hashlib.new("ripemd160", raw).digest()[:_CHECKSUM_BYTES]


def _double_sha256(raw: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:_CHECKSUM_BYTES]
