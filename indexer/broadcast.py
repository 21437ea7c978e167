"""Signing one operation with beem, and sending it once (chain facts: clients).

beem signs correctly, but what it does around that is not for money: it believes the chain id that a node
tells, sends again by itself, and gives None where it does not know. So beem only signs here; the bytes that
it signed are compared with our own packing under the pinned chain id, and are sent once. What did not get a
clear answer is called unknown.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import requests
from beembase.operations import Custom_json, Transfer
from beembase.signedtransactions import Signed_Transaction
from beemgraphenebase.account import PrivateKey

from indexer.intents import Operation

MAINNET: Final = "beeab0de" + "0" * 56
DEFAULT_EXPIRES_IN: Final = 60
MAX_CLOCK_SECONDS: Final = 600
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0

_WIF: Final = re.compile(r"5[HJK][1-9A-HJ-NP-Za-km-z]{49}")
_CHAIN_ID: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")
# hived's own words when it has looked at a transaction and will not have it. Any other error may come from
# a gateway that lost the node's answer.
_REFUSALS: Final = re.compile(
    r"Assert Exception|missing required|transaction (?:expiration|tapos) exception"
    r"|(?:irrelevant|duplicate) signature|Bad Cast|Parse Error|unknown key|not_enough_rc|Not enough RC"
)
_ALREADY_THERE: Final = "Duplicate transaction check failed"
_LEGACY_SYMBOLS: Final = {"HIVE": b"\x03STEEM\0\0", "HBD": b"\x03SBD\0\0\0\0"}
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Status = Literal["sent", "refused", "unknown"]


class SigningError(Exception):
    """Nothing was sent, and why. Never holds a key."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a transaction must name of the chain; `time` is the head block's, in seconds since 1970."""

    block_num: int
    block_prefix: int
    time: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction in the condenser shape, its id and when it expires (ISO 8601, UTC)."""

    transaction: Mapping[str, object]
    id: str
    expiration: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the node said of a broadcast. `unknown`: it may be in the chain, or come into it."""

    status: Status
    reason: str = ""


class Key:
    """A private key that no text of the program shows: neither `str`, nor `repr`, nor an exception."""

    __slots__ = ("_wif",)

    def __init__(self, wif: str) -> None:
        """Raises SigningError for a text that is not a key in wallet import format."""
        if _WIF.fullmatch(wif) is None or not _checksum_fits(wif):
            raise SigningError("not a private key in wallet import format (51 characters, begins with 5)")
        self._wif = wif

    def __repr__(self) -> str:
        return "Key(…)"

    def sign(self, transaction: Any, chain_id: str) -> str:
        """beem's signature, as hex digits."""
        transaction.sign([self._wif], chain=_chain(chain_id))
        return bytes(transaction.data["signatures"].data[0]).hex()

    def public(self) -> str:
        """`STM…`."""
        return str(PrivateKey(self._wif, prefix="STM").pubkey)


def check_chain_id(text: str) -> str:
    """A chain id: 64 hex digits. Raises SigningError."""
    if _CHAIN_ID.fullmatch(text) is None:
        raise SigningError("the chain id must be 64 digits of 0-9a-f")
    return text


class Node:
    """One Hive node. Each call is one request, never repeated."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()

    def call(self, method: str, params: Sequence[object] | Mapping[str, object]) -> object:
        """The result. Raises requests.RequestException, and NodeRefusal for a JSON-RPC error."""
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response = self._session.post(self.url, json=body, timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
        response.raise_for_status()
        answer = response.json()
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict):
            raise NodeRefusal(str(error.get("message", "an error without words")))
        return answer.get("result") if isinstance(answer, dict) else None

    def devnet_chain_id(self) -> str:
        """The chain id of a devnet, by its own /dev/status. Raises SigningError for any other node."""
        try:
            status = self._session.get(f"{self.url}/dev/status", timeout=CONNECT_SECONDS).json()
        except requests.RequestException as error:
            raise SigningError(f"{self.url} is not a devnet: it has no /dev/status") from error
        if not isinstance(status, dict) or status.get("devnet") is not True:
            raise SigningError(f"{self.url} is not a devnet: it has no /dev/status")
        chain_id = check_chain_id(str(status.get("chain_id")))
        if chain_id == MAINNET:
            raise SigningError(f"{self.url} calls itself a devnet but names the main network's chain id")
        return chain_id

    def reference(self) -> Reference:
        """The last irreversible block, so that no fork takes the transaction back. Raises SigningError."""
        try:
            properties = self.call("condenser_api.get_dynamic_global_properties", [])
            assert isinstance(properties, dict)
            head, final = int(properties["head_block_number"]), int(properties["last_irreversible_block_num"])
            ident = str(properties["head_block_id"])
            if final < head:
                header = self.call("condenser_api.get_block_header", [final + 1])
                assert isinstance(header, dict)
                ident = str(header["previous"])
            now = calendar.timegm(time.strptime(str(properties["time"]), "%Y-%m-%dT%H:%M:%S"))
        except (requests.RequestException, NodeRefusal) as error:
            raise SigningError(f"{self.url} does not say where the chain is: {error}") from error
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            raise SigningError(f"{self.url} gives no properties of a Hive chain") from error
        if _BLOCK_ID.fullmatch(ident) is None:
            raise SigningError(f"{self.url} gives {ident[:50]!r} for a block id")
        raw = bytes.fromhex(ident)
        return Reference(int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[4:8], "little"), now)

    def broadcast(self, signed: Signed) -> Outcome:
        """Send it, once."""
        try:
            result = self.call("condenser_api.broadcast_transaction", [signed.transaction])
        except NodeRefusal as error:
            text = " ".join(str(error).split())
            if _ALREADY_THERE in text:
                return Outcome("sent", "the node had it already")
            return Outcome("refused" if _REFUSALS.search(text) else "unknown", text)
        except requests.RequestException as error:
            return Outcome("unknown", f"no answer from {self.url} ({type(error).__name__})")
        if not isinstance(result, dict):
            return Outcome("unknown", f"{self.url} answered nothing")
        return Outcome("sent")


class NodeRefusal(Exception):
    """A JSON-RPC error; its text is the node's."""


def check_clock(reference: Reference, now: float) -> None:
    """Refuse a node whose chain time is far from ours: stale, or out to make us sign what lives for long.

    Raises SigningError.
    """
    apart = round(reference.time - now)
    if abs(apart) > MAX_CLOCK_SECONDS:
        where = "ahead of" if apart > 0 else "behind"
        raise SigningError(
            f"the node's chain is {abs(apart)} seconds {where} this machine's clock: name another --node, "
            "or set the clock"
        )


def sign(
    operation: Operation, key: Key, chain_id: str, reference: Reference, expires_in: int = DEFAULT_EXPIRES_IN
) -> Signed:
    """Sign with beem under this chain id and no other. Raises SigningError."""
    expires = reference.time + expires_in
    expiration = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(expires))
    name, value = operation
    make = Transfer if name == "transfer" else Custom_json
    transaction = Signed_Transaction(
        ref_block_num=reference.block_num,
        ref_block_prefix=reference.block_prefix,
        expiration=expiration,
        operations=[make({**value, "prefix": "STM"})],
    )
    unsigned = pack(operation, reference, expires)
    expected = bytes.fromhex(chain_id) + unsigned
    try:
        transaction.deriveDigest(_chain(chain_id))
    except struct.error as error:
        raise SigningError("beem cannot pack this transaction; nothing was signed") from error
    # It computes amounts in floats, for one: beyond 2^53 thousandths it would sign another amount.
    if bytes(transaction.message) != expected:
        raise SigningError("beem would sign other bytes than these; nothing was signed")
    signature = key.sign(transaction, chain_id)
    assert bytes(transaction.message) == expected
    shaped = {
        "ref_block_num": reference.block_num,
        "ref_block_prefix": reference.block_prefix,
        "expiration": expiration,
        "operations": [[name, value]],
        "extensions": [],
        "signatures": [signature],
    }
    return Signed(shaped, hashlib.sha256(unsigned).hexdigest()[:40], expiration)


def _chain(chain_id: str) -> dict[str, object]:
    return {"chain_id": chain_id, "prefix": "STM", "chain_assets": []}


def pack(operation: Operation, reference: Reference, expires: int) -> bytes:
    """The unsigned transaction of one operation in the legacy packing: what its id is made of."""
    name, value = operation
    if name == "transfer":
        number, _, symbol = str(value["amount"]).partition(" ")
        mils = int(number.replace(".", ""))
        body = b"\x02" + _text(value["from"]) + _text(value["to"])
        body += struct.pack("<q", mils) + _LEGACY_SYMBOLS[symbol] + _text(value["memo"])
    else:
        body = b"\x12" + _texts(value["required_auths"]) + _texts(value["required_posting_auths"])
        body += _text(value["id"]) + _text(value["json"])
    head = struct.pack("<HII", reference.block_num, reference.block_prefix, expires)
    return head + b"\x01" + body + b"\0"


def _texts(values: object) -> bytes:
    assert isinstance(values, list)
    return _varint(len(values)) + b"".join(map(_text, values))


def _text(value: object) -> bytes:
    raw = str(value).encode()
    return _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _checksum_fits(wif: str) -> bool:
    number = 0
    for letter in wif:
        number = number * 58 + _BASE58.index(letter)
    if number >= 1 << 8 * 37:
        return False
    raw = number.to_bytes(37, "big")
    return hashlib.sha256(hashlib.sha256(raw[:33]).digest()).digest()[:4] == raw[33:]
