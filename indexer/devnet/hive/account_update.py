"""The Hive operation `account_update`: new authorities and memo key of an account."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from settlement.net.hive_formats import parse_public_key

ACCOUNT_UPDATE_CODE: Final = 10
CHANGED_ROLES: Final = ("owner", "active", "posting")
_MAX_WEIGHT: Final = 0xFFFF
_MAX_THRESHOLD: Final = 0xFFFFFFFF

Weights = tuple[tuple[str, int], ...]


class AuthorityValue(NamedTuple):
    """An authority as an operation holds it; members are sorted, as on the chain."""

    threshold: int
    account_auths: Weights
    key_auths: Weights


class AccountUpdate(NamedTuple):
    """An `account_update` operation. An authority that is None stays as it is."""

    account: str
    owner: AuthorityValue | None
    active: AuthorityValue | None
    posting: AuthorityValue | None
    memo_key: str
    json_metadata: str

    @property
    def members(self) -> set[str]:
        """The accounts that the new authorities name."""
        authorities = filter(None, (self.owner, self.active, self.posting))
        return {name for authority in authorities for name, _ in authority.account_auths}

    def to_json(self) -> dict[str, object]:
        """The operation's value, the same in both shapes of the APIs."""
        roles = {role: _authority_json(getattr(self, role)) for role in CHANGED_ROLES if getattr(self, role)}
        kept = {"memo_key": self.memo_key, "json_metadata": self.json_metadata}
        return {"account": self.account, **roles, **kept}

    def packed(self) -> bytes:
        """The operation's bytes, which are the same in both packings."""
        return (
            bytes((ACCOUNT_UPDATE_CODE,))
            + _pack_text(self.account)
            + b"".join(map(_pack_optional, (self.owner, self.active, self.posting)))
            + parse_public_key(self.memo_key)
            + _pack_text(self.json_metadata)
        )


def parse_account_update(value: Mapping[str, object]) -> AccountUpdate:
    """Parse and validate the operation's value. Raises ValueError."""
    account, memo_key, metadata = value.get("account"), value.get("memo_key"), value.get("json_metadata")
    if not (isinstance(account, str) and isinstance(memo_key, str) and isinstance(metadata, str)):
        raise ValueError("account, memo_key and json_metadata must be texts")
    parse_public_key(memo_key)
    owner, active, posting = (_parse_authority(value.get(role)) for role in CHANGED_ROLES)
    return AccountUpdate(account, owner, active, posting, memo_key, metadata)


def _parse_authority(raw: object) -> AuthorityValue | None:
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise ValueError("an authority must be an object")
    threshold = raw.get("weight_threshold")
    if type(threshold) is not int or not 0 < threshold <= _MAX_THRESHOLD:
        raise ValueError("weight_threshold must be a positive integer")
    accounts, keys = _weights(raw.get("account_auths")), _weights(raw.get("key_auths"))
    for key, _ in keys:
        parse_public_key(key)
    return AuthorityValue(threshold, accounts, keys)


def _weights(raw: object) -> Weights:
    if not isinstance(raw, list):
        raise ValueError("account_auths and key_auths must be lists")
    found: dict[str, int] = {}
    for entry in raw:
        if not isinstance(entry, list) or len(entry) != 2:
            raise ValueError("a member of an authority must be a pair")
        name, weight = entry
        if not isinstance(name, str) or type(weight) is not int or not 0 <= weight <= _MAX_WEIGHT:
            raise ValueError("a member of an authority must be a name or key, and its weight")
        found[name] = weight
    return tuple(sorted(found.items()))


def _authority_json(authority: AuthorityValue) -> dict[str, object]:
    return {
        "weight_threshold": authority.threshold,
        "account_auths": [list(member) for member in authority.account_auths],
        "key_auths": [list(member) for member in authority.key_auths],
    }


def _pack_optional(authority: AuthorityValue | None) -> bytes:
    if authority is None:
        return b"\0"
    accounts = [_pack_text(name) + struct.pack("<H", weight) for name, weight in authority.account_auths]
    keys = [parse_public_key(key) + struct.pack("<H", weight) for key, weight in authority.key_auths]
    return b"".join(
        (
            b"\1" + struct.pack("<I", authority.threshold),
            *(pack_count(len(accounts)), *accounts, pack_count(len(keys)), *keys),
        )
    )


def pack_count(number: int) -> bytes:
    """An unsigned LEB128 integer."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _pack_text(text: str) -> bytes:
    raw = text.encode()
    return pack_count(len(raw)) + raw
