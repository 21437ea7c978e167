"""Errors of a Hive node: codes, names and texts of hived 1.28.3, including the first stack frame.

Wallets explain a failure by `error.data.stack[0]`: Keychain by the frame's method and data, dhive by its
format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CODE_ASSERT: Final = -32003
CODE_SERVER: Final = -32000


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of hived errors: its number, its name, and the prefix of its messages."""

    code: int
    name: str
    prefix: str


ASSERT: Final = Kind(10, "assert_exception", "Assert Exception")
EXPIRATION: Final = Kind(4030100, "transaction_expiration_exception", "transaction expiration exception")
TAPOS: Final = Kind(4030200, "transaction_tapos_exception", "transaction tapos exception")
MISSING_ACTIVE: Final = Kind(3010000, "tx_missing_active_auth", "missing required active authority")
MISSING_OWNER: Final = Kind(3020000, "tx_missing_owner_auth", "missing required owner authority")
MISSING_POSTING: Final = Kind(3030000, "tx_missing_posting_auth", "missing required posting authority")
DUPLICATE: Final = Kind(3060000, "tx_duplicate_sig", "duplicate signature included")
NOT_ENOUGH_RC: Final = Kind(
    4100100, "not_enough_rc_exception", "payer has not enough RC mana for transaction"
)
BAD_CAST: Final = Kind(7, "bad_cast_exception", "Bad Cast")
PARSE: Final = Kind(4, "parse_error_exception", "Parse Error")

_KINDS: Final = (
    ASSERT,
    EXPIRATION,
    TAPOS,
    MISSING_ACTIVE,
    MISSING_OWNER,
    MISSING_POSTING,
    DUPLICATE,
    NOT_ENOUGH_RC,
    BAD_CAST,
    PARSE,
)
_BY_PREFIX: Final = {kind.prefix: kind for kind in _KINDS}
_SIGNING: Final = (MISSING_ACTIVE, MISSING_OWNER, MISSING_POSTING, DUPLICATE)
_BOTH_PACKINGS: Final = "Transaction failed to validate using both new (hf26) and legacy serialization"
_NOT_IN_INDEX: Final = (
    "0 exception: unspecified\nunknown key: {name} of type: std::__cxx11::basic_string<char, "
    "std::char_traits<char>, std::allocator<char> > at multiindex lookup: "
    "hive::chain::account_authority_object.index<hive::chain::by_account>"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A stack frame of hived: the function, a message format with `${name}` fields, and their values."""

    method: str
    format: str
    data: Mapping[str, object] = field(default_factory=dict)


class ChainError(Exception):
    """The chain rejects a transaction or call; `code` and text are those of the node's JSON-RPC error."""

    def __init__(self, message: str, code: int = CODE_ASSERT, frame: Frame | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.frame = frame


class AuthorityError(ChainError):
    """The signatures do not satisfy the required authorities."""

    @classmethod
    def missing(cls, kind: Kind, authority: str, account: str) -> AuthorityError:
        """The signatures do not reach an account's authority (`Active` or `Posting`)."""
        text = f"Missing {authority} Authority ${{id}}"
        message = f"s.check_authority( id ): Missing {authority} Authority {account}{_BOTH_PACKINGS}"
        return cls(f"{kind.prefix}:{message}", frame=Frame("operator()", text, {"id": account}))


class UnknownAccountError(ChainError):
    """A signer's account does not exist."""

    def __init__(self, name: str) -> None:
        frame = Frame("verify_authority", "${what}: ", {"what": _NOT_IN_INDEX.format(name=name)})
        super().__init__(_NOT_IN_INDEX.format(name=name), CODE_SERVER, frame)


def error_data(message: str, frame: Frame | None) -> dict[str, object]:
    """The member `data` of a JSON-RPC error with a message `prefix:text`."""
    if message.startswith("0 exception:"):
        kind, prefix, text = Kind(13, "N5boost10wrapexceptISt12out_of_rangeEE", message), message, ""
        return _data(kind, prefix, frame or Frame("verify_authority", text))
    prefix, _, text = message.partition(":")
    kind = _BY_PREFIX.get(prefix, ASSERT)
    if frame is None:
        method = "verify_authority" if kind in _SIGNING else "validate_transaction"
        frame = Frame(method if kind is not ASSERT else "", text or message)
    return _data(kind, prefix, frame)


def _data(kind: Kind, message: str, frame: Frame) -> dict[str, object]:
    context = {
        "level": "error",
        "file": "devnet",
        "line": 0,
        "method": frame.method,
        "hostname": "",
        "timestamp": "1970-01-01T00:00:00",
    }
    return {
        "code": kind.code,
        "name": kind.name,
        "message": message,
        "stack": [{"context": context, "format": frame.format, "data": dict(frame.data)}],
    }
